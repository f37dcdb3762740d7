# From ten dollars an hour on, somebody has written down why.
package rayplat.expensive_gpu

import rego.v1

deny contains message if {
	some group in input.resource_changes
	group.type == "aws_eks_node_group"
	some kind in group.change.after.instance_types
	expensive(kind)
	message := sprintf("%s: %s costs more than ten dollars an hour; write the reason down", [group.address, kind])
}

# Whole families: eight GPUs or accelerators, or the newest of them.
expensive(kind) if regex.match(`^(p[4-9][a-z]*|trn[0-9][a-z]*)[.-]`, kind)

expensive(kind) if kind in {"p3.8xlarge", "p3.16xlarge", "p3dn.24xlarge", "inf2.48xlarge"}

expensive(kind) if regex.match(`^g[4-9][a-z]*\.(48xlarge|metal)`, kind)
