# Instances hand out credentials only to who asks for a session first.
package rayplat.imdsv2_required

import rego.v1

deny contains message if {
	some template in input.resource_changes
	template.type == "aws_launch_template"
	template.change.after != null
	not requires_token(template.change.after)
	message := sprintf("%s: its instances must require IMDSv2 (http_tokens = required)", [template.address])
}

requires_token(template) if template.metadata_options[0].http_tokens == "required"
