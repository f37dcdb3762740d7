# Nodes and pods reach the control plane from inside the VPC, whatever else is open.
package rayplat.private_endpoint_kept

import rego.v1

deny contains message if {
	some cluster in input.resource_changes
	cluster.type == "aws_eks_cluster"
	some network in cluster.change.after.vpc_config
	network.endpoint_private_access != true
	message := sprintf("%s: the private endpoint must stay on", [cluster.address])
}
