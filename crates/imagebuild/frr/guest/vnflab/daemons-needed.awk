# Prints the names of the daemons that a configuration of FRR speaks to, one a line, each once.

function needs(name) { if (!seen[name]++) print name }

/^router ospf( |$)/ || /^ (no )?ip ospf / { needs("ospfd") }
/^router ospf6( |$)/ || /^ (no )?ipv6 ospf6 / { needs("ospf6d") }
/^router bgp( |$)/ { needs("bgpd") }
/^router (isis|openfabric)( |$)/ || /^ (ip|ipv6) router isis / { needs("isisd") }
/^router rip( |$)/ { needs("ripd") }
/^router ripng( |$)/ { needs("ripngd") }
/^bfd( |$)/ || / bfd( |$)/ { needs("bfdd") }
/^mpls ldp( |$)/ { needs("ldpd") }
/^ ?ip (pim|igmp|mroute|multicast|msdp)( |$)/ { needs("pimd") }
/^ vrrp / || /^vrrp / { needs("vrrpd") }
/^pbr-map / || /^ pbr-policy / { needs("pbrd") }
