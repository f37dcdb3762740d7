# Spot GPUs are the first to be gone: a pool of them has an On-Demand pool that stands in.
package rayplat.spot_gpu_fallback

import rego.v1

groups := [change |
	some change in input.resource_changes
	change.type == "aws_eks_node_group"
	change.change.after != null
]

deny contains message if {
	some group in groups
	group.change.after.capacity_type == "SPOT"
	gpu(group.change.after)
	not stands_in(group.change.after)
	message := sprintf("%s: Spot GPU nodes need an On-Demand fallback of the same pool", [group.address])
}

gpu(group) if contains(group.ami_type, "NVIDIA")

gpu(group) if {
	some kind in group.instance_types
	regex.match(`^(g[0-9]|p[0-9])[a-z0-9]*\.`, kind)
}

stands_in(group) if {
	some other in groups
	other.change.after.capacity_type == "ON_DEMAND"
	other.change.after.scaling_config[0].max_size > 0
	other.change.after.labels["rayplat.io/pool"] == group.labels["rayplat.io/pool"]
}
