# All pools at their largest have no more nodes than somebody has agreed to.
package rayplat.node_budget

import rego.v1

most := 30

total := sum([scaling.max_size |
	some group in input.resource_changes
	group.type == "aws_eks_node_group"
	some scaling in group.change.after.scaling_config
])

deny contains message if {
	total > most
	message := sprintf("all node groups together may grow to %d nodes; the budget is %d", [total, most])
}
