# Reads the environment of a container with nginx, checks all of it by checks.awk, and fills in
# `values` for render.awk. Whatever is in `values` consists of checked characters: nothing that nginx would take
# for an end of a word or a line ever reaches its configuration.
#
# Given with -v: files (how many may be open), cores, resolv (the path of resolv.conf).
# In the environment: NGINX_SAYS, what `nginx -v` wrote.

function setting(name, usual,    text) {
    text = ENVIRON[name]
    gsub(/^[ \t\r\n]+|[ \t\r\n]+$/, "", text)
    return text == "" ? usual : text
}

# For people: without what would forge a second line.
function quoted(text) {
    gsub(/[^ -~]/, "?", text)
    return "'" substr(text, 1, 200) "'"
}

function refuse(sentence) {
    print sentence > "/dev/stderr"
    refused = 1
    return ""
}

function whole(name, usual, least, most,    text) {
    text = setting(name, usual)
    if (text ~ /^[0-9]+$/ && length(text) < 10 && text + 0 >= least && text + 0 <= most)
        return text + 0
    return refuse(name " is " quoted(text) ": write a whole number from " least " to " most ".")
}

# Absolute, because nginx would begin at the folder that holds its temporary files. Blanks around
# it are not taken away: the entrypoint's shell uses the same variable.
function path(name, usual,    text) {
    text = ENVIRON[name] == "" ? usual : ENVIRON[name]
    if (text == "" || text ~ /^\/[A-Za-z0-9_.\/-]+$/) return text
    return refuse(name " is " quoted(text) ": write an absolute path of letters, digits and ._-.")
}

# Splits a list with commas into `parts`; leaves out what is empty.
function listed(text, parts,    all, count, number, kept) {
    count = split(text, all, ",")
    kept = 0
    for (number = 1; number <= count; number++) {
        gsub(/^[ \t\r\n]+|[ \t\r\n]+$/, "", all[number])
        if (all[number] != "") parts[++kept] = all[number]
    }
    return kept
}

function server(name, text) {
    if (is_host(host_of(text)) && is_port(port_of(text))) return text
    return refuse(name " has " quoted(text) ": write host:port, such as gateway:8000.")
}

# nginx's version as one number, 0 where it is another program that shares its past.
function version_of(text,    part) {
    if (!match(text, /(^|[ \t\n])nginx\/[0-9]+[.][0-9]+[.][0-9]+/)) return 0
    text = substr(text, RSTART, RLENGTH)
    sub(/.*nginx\//, "", text)
    split(text, part, ".")
    return part[1] * 1000000 + part[2] * 1000 + part[3]
}

function origins(    name, text, count, part, number, host, names, seen, port) {
    name = "CARILLON_PUBLIC_ORIGINS"
    text = setting(name, "")
    count = listed(tolower(text), part)
    if (!count)
        return refuse(name " is not set: write where people find you, such as " \
            "https://chat.example.org.")
    for (number = 1; number <= count; number++) {
        host = part[number]
        sub(/\/$/, "", host)
        if (!sub(/^https?:\/\//, "", host) || !is_host(host_of(host)) || \
            (host != host_of(host) && !is_port(port_of(host))))
            return refuse(name " has " quoted(part[number]) \
                ": write exact origins such as https://chat.example.org.")
        if (tls && part[number] !~ /^https:/)
            return refuse(name " has " quoted(part[number]) \
                ": with CARILLON_NGINX_TLS_CERTIFICATE write origins with https alone.")
        port = port_of(host) == "" || port_of(host) == "443" ? "" : ":" port_of(host)
        if (tls && number > 1 && port != values["CARILLON_NGINX_TLS_SUFFIX"])
            return refuse(name " has more than one port: nginx sends people who come without TLS " \
                "to one; use the same port in all origins.")
        values["CARILLON_NGINX_TLS_SUFFIX"] = port
        if (!(host_of(host) in seen)) names = names (names == "" ? "" : " ") host_of(host)
        seen[host_of(host)] = 1
    }
    values["CARILLON_NGINX_SERVER_NAMES"] = names
}

# Every address of the machine: IPv6, too, where there is any.
function everywhere(port, words,    line, found) {
    found = "0.0.0.0:" port words
    if ((getline line < "/proc/net/if_inet6") > 0) found = found ",[::]:" port words
    close("/proc/net/if_inet6")
    return found
}

function listeners(    public, secure, internal, words, host) {
    public = whole("CARILLON_NGINX_PORT", 8000, 1, 65535)
    secure = whole("CARILLON_NGINX_TLS_PORT", 8443, 1, 65535)
    internal = whole("CARILLON_INTERNAL_PORT", 9000, 1, 65535)
    if (public == internal || (tls && (secure == internal || public == secure)))
        refuse("CARILLON_NGINX_PORT, CARILLON_NGINX_TLS_PORT and CARILLON_INTERNAL_PORT must differ.")
    values["CARILLON_NGINX_LISTEN"] = everywhere(public, "")
    values["CARILLON_NGINX_HTTP2"] = tls && version >= 1025001 ? "on" : ""
    words = version >= 1025001 ? " ssl" : " ssl http2"
    values["CARILLON_NGINX_LISTEN_TLS"] = tls ? everywhere(secure, words) : ""
    host = setting("CARILLON_INTERNAL_HOST", "0.0.0.0")
    if (host !~ /^\[/ && is_ipv6(host)) host = "[" host "]"
    if (!is_address(host))
        refuse("CARILLON_INTERNAL_HOST is " quoted(host) ": write an address, such as 127.0.0.1.")
    values["CARILLON_NGINX_STATUS_LISTEN"] = \
        host == "0.0.0.0" ? everywhere(internal, "") : host ":" internal
}

# The first server of resolv.conf that nginx can ask: not one with a zone, as in fe80::1%eth0.
function first_nameserver(    line, word, found) {
    while (found == "" && (getline line < resolv) > 0) {
        split(line, word)
        if (word[1] != "nameserver") continue
        if (is_ipv4(word[2])) found = word[2]
        else if (is_ipv6(word[2])) found = "[" word[2] "]"
    }
    close(resolv)
    return found
}

function resolvers(    name, text, count, part, number, found) {
    name = "CARILLON_NGINX_RESOLVER"
    text = setting(name, first_nameserver())
    if (text == "")
        return refuse(name " is not set and " resolv " has no server: write the address of a DNS " \
            "server, such as 10.96.0.10, or leave CARILLON_GATEWAY_RESOLVE out.")
    count = listed(text, part)
    for (number = 1; number <= count; number++) {
        if (!is_host(host_of(part[number])) || \
            (part[number] != host_of(part[number]) && !is_port(port_of(part[number]))))
            return refuse(name " has " quoted(part[number]) \
                ": write the address of a DNS server, such as 10.96.0.10.")
        found = found (found == "" ? "" : " ") part[number]
    }
    return found
}

function upstreams(    resolved, web, static, count, part, number, found, elsewhere) {
    resolved = setting("CARILLON_GATEWAY_RESOLVE", "")
    static = setting("CARILLON_NGINX_GATEWAYS", "")
    web = server("CARILLON_NGINX_WEB", setting("CARILLON_NGINX_WEB", "web:8000"))
    values["CARILLON_NGINX_RESOLVER"] = values["CARILLON_NGINX_GATEWAYS"] = ""
    values["CARILLON_NGINX_ASKED_GATEWAY"] = values["CARILLON_NGINX_ASKED_WEB"] = ""
    values["CARILLON_NGINX_WEB"] = web
    values["CARILLON_NGINX_WEB_POOL"] = "web"
    values["CARILLON_NGINX_MAX_FAILS"] = 1
    values["CARILLON_NGINX_GATEWAY_POOL"] = "gateway"
    values["CARILLON_NGINX_ANY_GATEWAY_POOL"] = "any_gateway"
    if (resolved != "" && static != "")
        refuse("CARILLON_GATEWAY_RESOLVE and CARILLON_NGINX_GATEWAYS are both set: write one.")
    if (resolved == "") {
        count = listed(static == "" ? "gateway:8000" : static, part)
        if (!count)
            refuse("CARILLON_NGINX_GATEWAYS is empty: write host:port, such as gateway:8000.")
        for (number = 1; number <= count; number++) {
            found = found (number == 1 ? "" : ",") server("CARILLON_NGINX_GATEWAYS", part[number])
            if (part[number] !~ /^(127[.]|\[::1\])/) elsewhere = 1
        }
        # Where a refusal costs nothing, or there is nobody else, nobody is left alone for it.
        if (!elsewhere || count == 1) values["CARILLON_NGINX_MAX_FAILS"] = 0
        # The address of a Service, behind which are several gateways: as often as it stands here a
        # handshake is tried, each time perhaps at another one. One that is full is then no refusal.
        if (count == 1) found = found "," found "," found
        values["CARILLON_NGINX_GATEWAYS"] = found
        return
    }
    if (!is_name(host_of(resolved)) || !is_port(port_of(resolved)))
        refuse("CARILLON_GATEWAY_RESOLVE is " quoted(resolved) \
            ": write a name and a port, such as gateway:8000.")
    values["CARILLON_NGINX_RESOLVER"] = resolvers()
    if (version >= 1027003) {
        values["CARILLON_NGINX_GATEWAYS"] = resolved " resolve"
        if (is_name(host_of(web))) values["CARILLON_NGINX_WEB"] = web " resolve"
        return
    }
    values["CARILLON_NGINX_ASKED_GATEWAY"] = resolved
    values["CARILLON_NGINX_GATEWAY_POOL"] = values["CARILLON_NGINX_ANY_GATEWAY_POOL"] = "$gateway"
    if (is_name(host_of(web))) {
        values["CARILLON_NGINX_ASKED_WEB"] = web
        values["CARILLON_NGINX_WEB"] = ""
        values["CARILLON_NGINX_WEB_POOL"] = "$web"
    }
}

function proxies(    name, count, part, number, found) {
    name = "CARILLON_NGINX_PROXIES"
    count = listed(setting(name, ""), part)
    for (number = 1; number <= count; number++) {
        if (!is_network(part[number]))
            return refuse(name " has " quoted(part[number]) \
                ": write addresses or networks such as 10.0.0.0/8.")
        if (part[number] ~ /\/0+$/)
            return refuse(name " has " quoted(part[number]) \
                ": everybody would be believed; write the networks of your proxies.")
        found = found (number == 1 ? "" : ",") part[number]
    }
    return found
}

function limits(    per_second, per_minute, connections) {
    values["CARILLON_NGINX_CONNECTIONS_PER_IP"] = \
        whole("CARILLON_NGINX_CONNECTIONS_PER_IP", 100, 1, 65535)
    per_second = whole("CARILLON_NGINX_HANDSHAKES_PER_SECOND", 20, 1, 100000)
    values["CARILLON_NGINX_HANDSHAKES_PER_SECOND"] = per_second
    values["CARILLON_NGINX_HANDSHAKES_BURST"] = 10 * per_second
    per_minute = whole("CARILLON_NGINX_PASSWORDS_PER_MINUTE", 60, 1, 100000)
    values["CARILLON_NGINX_PASSWORDS_PER_MINUTE"] = per_minute
    values["CARILLON_NGINX_PASSWORDS_BURST"] = int((per_minute + 2) / 3)
    values["CARILLON_NGINX_WORKERS"] = whole("CARILLON_NGINX_WORKERS", cores, 1, 512)
    # Each WebSocket takes two files; the hard limit is not ours to raise.
    connections = files == "unlimited" || files > 131070 ? 65535 : int(files / 2)
    if (connections < 512)
        refuse("nginx may open " files " files: it needs 1024 at least (ulimit -Hn), two for each " \
            "WebSocket.")
    values["CARILLON_NGINX_CONNECTIONS"] = connections
    values["CARILLON_NGINX_FILES"] = 2 * connections
}

function certificate(    pair, key) {
    pair = path("CARILLON_NGINX_TLS_CERTIFICATE", "")
    key = path("CARILLON_NGINX_TLS_KEY", "")
    if (!ENVIRON["CARILLON_NGINX_TLS_CERTIFICATE"] != !ENVIRON["CARILLON_NGINX_TLS_KEY"])
        refuse("CARILLON_NGINX_TLS_CERTIFICATE and CARILLON_NGINX_TLS_KEY belong together: set " \
            "both or neither.")
    values["CARILLON_NGINX_TLS_CERTIFICATE"] = pair
    values["CARILLON_NGINX_TLS_KEY"] = key
    return pair != "" && key != ""
}

BEGIN {
    version = version_of(ENVIRON["NGINX_SAYS"])
    values["CARILLON_NGINX_USER"] = ""
    values["CARILLON_NGINX_TLS_SUFFIX"] = ""
    tls = certificate()
    origins()
    listeners()
    upstreams()
    values["CARILLON_NGINX_PROXIES"] = proxies()
    limits()
    values["CARILLON_NGINX_STATE"] = path("CARILLON_NGINX_STATE", "/tmp/nginx")
    values["CARILLON_NGINX_ACCESS_LOG"] = path("CARILLON_NGINX_ACCESS_LOG", "/dev/stdout")
    values["CARILLON_STATIC_ROOT"] = path("CARILLON_STATIC_ROOT", "/srv/static")
    if (refused) exit 1
}
