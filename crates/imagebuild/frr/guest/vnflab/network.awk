# Turns a flattened network-config (versions 1 and 2), or OpenStack's network_data, into plain
# lines, fields parted by tabs:
#   INTERFACE|MAC  dhcp4
#   INTERFACE|MAC  ra
#   INTERFACE|MAC  mtu      BYTES
#   INTERFACE|MAC  address  ADDRESS/LENGTH
#   INTERFACE|MAC  route    TO  VIA  METRIC  ONLINK
#   -              nameserver|search  VALUE
# What it does not know goes to standard error.

function truth(text) { return tolower(text) ~ /^(true|yes|on|1)$/ }

function ignored(what) { print "network-config: ignored " what | "cat >&2" }

function bits(mask,    part, count, i, sum, value) {
    if (mask !~ /\./)
        return mask
    count = split(mask, part, ".")
    for (i = 1; i <= count; i++)
        for (value = part[i] + 0; value > 0; value = int(value / 2))
            sum += value % 2
    return sum + 0
}

function put(id, rest) { line[++lines] = id "\t" rest; owner[lines] = id }

function set_route(field, value) {
    if (field == "to" || field == "destination") route_to = value
    else if (field == "network") route_to = value
    else if (field == "netmask") route_mask = value
    else if (field == "via" || field == "gateway") route_via = value
    else if (field == "metric") route_metric = value
    else if (field == "on-link") route_onlink = truth(value) ? "onlink" : ""
    else ignored("route setting " field)
}

function flush_route() {
    if (route_key == "")
        return
    if (route_to == "default") route_to = (route_via ~ /:/) ? "::/0" : "0.0.0.0/0"
    if (route_mask != "" && route_to !~ /\//) route_to = route_to "/" bits(route_mask)
    put(route_owner, "route\t" route_to "\t" route_via "\t" route_metric "\t" route_onlink)
    route_key = route_to = route_via = route_metric = route_onlink = route_mask = ""
}

function open_route(key, id) {
    if (key != route_key) {
        flush_route()
        route_key = key
        route_owner = id
    }
}

function flush_subnet() {
    if (subnet_key == "")
        return
    if (subnet_type ~ /^dhcp4?$/) put(subnet_owner, "dhcp4")
    else if (subnet_type ~ /^(dhcp6|ipv6_dhcpv6|ipv6_slaac)/) put(subnet_owner, "ra")
    if (subnet_address != "") {
        if (subnet_address !~ /\//)
            subnet_address = subnet_address "/" (subnet_mask != "" ? bits(subnet_mask) : (subnet_address ~ /:/ ? 64 : 24))
        put(subnet_owner, "address\t" subnet_address)
    }
    if (subnet_gateway != "")
        put(subnet_owner, "route\t" (subnet_gateway ~ /:/ ? "::/0" : "0.0.0.0/0") "\t" subnet_gateway "\t\t")
    subnet_key = subnet_type = subnet_address = subnet_mask = subnet_gateway = ""
}

BEGIN { FS = "\t" }

{ sub(/^network\//, "", $1); count = split($1, key, "/"); value = $2 }

$1 == "version" { next }
$1 == "renderer" { next }

# Version 2
key[1] == "ethernets" {
    id = key[2]
    if (key[3] == "match" && key[4] == "macaddress") mac[id] = tolower(value)
    else if (key[3] == "match" && key[4] == "name") alias[id] = value
    else if (key[3] == "dhcp4") { if (truth(value)) put(id, "dhcp4") }
    else if (key[3] == "dhcp6" || key[3] == "accept-ra") { if (truth(value)) put(id, "ra") }
    else if (key[3] == "mtu") put(id, "mtu\t" value)
    # An address may hold a slash, which parts keys too when the address is itself a key.
    else if (key[3] == "addresses" && count == 4) put(id, "address\t" value)
    else if (key[3] == "addresses") put(id, "address\t" key[5] "/" key[6])
    else if (key[3] == "gateway4") put(id, "route\t0.0.0.0/0\t" value "\t\t")
    else if (key[3] == "gateway6") put(id, "route\t::/0\t" value "\t\t")
    else if (key[3] == "routes") { open_route(id "/" key[4], id); set_route(key[5], value) }
    else if (key[3] == "nameservers" && key[4] == "addresses") put("-", "nameserver\t" value)
    else if (key[3] == "nameservers" && key[4] == "search") put("-", "search\t" value)
    else if (key[3] ~ /^(set-name|optional|dhcp-identifier|link-local|wakeonlan|critical)$/) ;
    else if (count > 2) ignored(id ": " key[3])
    next
}

# Version 1
key[1] == "config" {
    index_ = key[2]
    if (key[3] == "type") type[index_] = value
    else if (key[3] == "name") alias[index_] = value
    else if (key[3] == "mac_address") mac[index_] = tolower(value)
    else if (key[3] == "mtu") put(index_, "mtu\t" value)
    else if (key[3] == "address") put("-", "nameserver\t" value)
    else if (key[3] == "search") put("-", "search\t" value)
    else if (key[3] == "subnets") {
        if (index_ "/" key[4] != subnet_key) {
            flush_subnet()
            subnet_key = index_ "/" key[4]
            subnet_owner = index_
        }
        if (key[5] == "type") subnet_type = value
        else if (key[5] == "address") subnet_address = value
        else if (key[5] == "netmask") subnet_mask = value
        else if (key[5] == "gateway") subnet_gateway = value
        else if (key[5] == "dns_nameservers") put("-", "nameserver\t" value)
        else if (key[5] == "dns_search") put("-", "search\t" value)
        else if (key[5] == "routes") { open_route(subnet_key "/" key[6], index_); set_route(key[7], value) }
        else if (key[5] != "control") ignored("subnet setting " key[5])
    }
    else ignored("interface setting " key[3])
    next
}

# OpenStack: links with their MAC addresses, and networks on them
key[1] == "links" {
    if (key[3] == "id") link[key[2]] = value
    else if (key[3] == "ethernet_mac_address") link_mac[key[2]] = tolower(value)
    else if (key[3] == "mtu" && value ~ /^[0-9]+$/) link_mtu[key[2]] = value
    next
}
key[1] == "networks" {
    if (key[3] == "link") net_link[key[2]] = value
    else if (key[3] == "type") net_type[key[2]] = value
    else if (key[3] == "ip_address") net_address[key[2]] = value
    else if (key[3] == "netmask") net_mask[key[2]] = value
    if (key[2] + 1 > nets) nets = key[2] + 1
    next
}
key[1] == "services" { next }

$1 != "" && !told[key[1]]++ { ignored(key[1]) }

# The length of an IPv6 netmask: a digit of hex has four bits.
function bits6(mask,    i, sum) {
    for (i = 1; i <= length(mask); i++)
        sum += hex_bits[tolower(substr(mask, i, 1))]
    return sum + 0
}

END {
    flush_route()
    flush_subnet()
    hex_bits["8"] = 1; hex_bits["c"] = 2; hex_bits["e"] = 3; hex_bits["f"] = 4
    for (i in link) {
        mac[link[i]] = link_mac[i]
        if (i in link_mtu) put(link[i], "mtu\t" link_mtu[i])
    }
    for (i = 0; i < nets; i++) {
        if (net_type[i] == "ipv4_dhcp") put(net_link[i], "dhcp4")
        else if (net_type[i] ~ /^ipv6_(dhcp|slaac)/) put(net_link[i], "ra")
        else if (net_address[i] ~ /\//) put(net_link[i], "address\t" net_address[i])
        else if (net_address[i] ~ /:/) put(net_link[i], "address\t" net_address[i] "/" bits6(net_mask[i]))
        else if (net_address[i] != "") put(net_link[i], "address\t" net_address[i] "/" bits(net_mask[i]))
    }
    for (i = 1; i <= lines; i++) {
        id = owner[i]
        rest = substr(line[i], length(id) + 1)
        if (id in type && type[id] !~ /^(physical|nameserver)$/) {
            if (!told["type " id]++)
                ignored("an interface of type " type[id])
            continue
        }
        name = (id in mac) ? mac[id] : (id in alias) ? alias[id] : id
        print name rest
    }
}
