# Every disk that a launch template names is encrypted, and it names one.
package rayplat.encrypted_root_volume

import rego.v1

deny contains message if {
	some template in input.resource_changes
	template.type == "aws_launch_template"
	some disk in template.change.after.block_device_mappings
	not encrypted(disk)
	message := sprintf("%s: the disk %s must be encrypted", [template.address, disk.device_name])
}

deny contains message if {
	some template in input.resource_changes
	template.type == "aws_launch_template"
	template.change.after != null
	count(object.get(template.change.after, "block_device_mappings", [])) == 0
	message := sprintf("%s: it names no disk, so that the image decides whether it is encrypted", [template.address])
}

encrypted(disk) if disk.ebs[0].encrypted in {true, "true"}
