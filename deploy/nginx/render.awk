# Renders the template with `values`, as `deploy.stack.nginx` does in Python.
#
#   ${CARILLON_X}          the value of CARILLON_X, which must have one, be it empty
#   #if CARILLON_X         the lines up to `#end` are there when it is not empty;
#   #if not CARILLON_X     when it is
#   #each CARILLON_X       the next line is there once for each item of a list with commas
#
# awk takes no value for anything but text, and looks into none a second time.

function value(name) {
    if (!(name in values)) {
        print "The nginx template wants " name ": give it a value." > "/dev/stderr"
        exit 1
    }
    return values[name]
}

function filled(line, list, item,    done, name) {
    done = ""
    while (match(line, /[$][{]CARILLON_[A-Z0-9_]+[}]/)) {
        name = substr(line, RSTART + 2, RLENGTH - 3)
        done = done substr(line, 1, RSTART - 1) (name == list ? item : value(name))
        line = substr(line, RSTART + RLENGTH)
    }
    return done line
}

$1 == "#if" {
    depth++
    wanted = value($NF) != ""
    if ($2 == "not") wanted = !wanted
    # The outermost section that is left out decides for those in it.
    if (!hidden && !wanted) hidden = depth
    next
}
$1 == "#end" {
    if (hidden == depth) hidden = 0
    depth--
    next
}
hidden { next }
$1 == "#each" {
    list = $2
    items = split(value(list), item, ",")
    next
}
list != "" {
    for (number = 1; number <= items; number++) print filled($0, list, item[number])
    list = ""
    next
}
{ print filled($0, "", "") }
