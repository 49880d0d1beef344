# What addresses, names, ports and networks look like: the words that settings.awk lets through.
# Without what only some awks have, such as powers, or counts in regular expressions.

function is_ipv4(text,    part, number) {
    if (text !~ /^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+$/) return 0
    split(text, part, ".")
    for (number = 1; number <= 4; number++)
        if (length(part[number]) > 3 || part[number] + 0 > 255) return 0
    return 1
}

function is_ipv6(text,    part, count, number, rest) {
    if (text !~ /^[0-9A-Fa-f:.]+$/ || text !~ /:.*:/ || text ~ /:::/) return 0
    rest = text
    # `::` stands for any number of zeros, once.
    if (sub(/::/, "", rest) && rest ~ /::/) return 0
    count = split(text, part, ":")
    if (count > 9 || (text !~ /::/ && count != (text ~ /[.]/ ? 7 : 8))) return 0
    for (number = 1; number <= count; number++) {
        if (part[number] ~ /[.]/ && !(number == count && is_ipv4(part[number]))) return 0
        if (part[number] !~ /[.]/ && length(part[number]) > 4) return 0
    }
    return text !~ /^:[^:]/ && text !~ /[^:]:$/
}

function is_name(text) {
    # All digits and dots is meant for an address.
    return length(text) < 254 && text !~ /[.][.]/ && text !~ /^[0-9.]+$/ && \
        text ~ /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/
}

function is_address(text) {
    if (text ~ /^\[.*\]$/) return is_ipv6(substr(text, 2, length(text) - 2))
    return is_ipv4(text)
}

function is_host(text) {
    return is_address(text) || is_name(text)
}

function port_of(text) {
    return match(text, /:[0-9]+$/) ? substr(text, RSTART + 1) : ""
}

function host_of(text) {
    return match(text, /:[0-9]+$/) ? substr(text, 1, RSTART - 1) : text
}

function is_port(text) {
    return text ~ /^[0-9]+$/ && length(text) < 6 && text + 0 >= 1 && text + 0 <= 65535
}

function is_network(text,    part, bits, octet, size) {
    if (split(text, part, "/") > 2) return 0
    bits = index(text, "/") ? part[2] : (is_ipv4(part[1]) ? 32 : 128)
    if (bits !~ /^[0-9]+$/ || length(bits) > 3) return 0
    if (is_ipv6(part[1])) return bits + 0 <= 128
    if (!is_ipv4(part[1]) || bits + 0 > 32) return 0
    # By as much as its bits say the address must be divisible.
    for (size = 1; bits < 32; bits++) size *= 2
    split(part[1], octet, ".")
    return (((octet[1] * 256 + octet[2]) * 256 + octet[3]) * 256 + octet[4]) % size == 0
}
