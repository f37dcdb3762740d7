//! What a managed node group does with a template's user data.
//!
//! EKS merges it with its own, which needs MIME multipart on Amazon Linux and TOML
//! on Bottlerocket (EKS user guide, "Customize managed nodes with launch
//! templates"). A wrong form is not refused at once: the group ends in
//! CREATE_FAILED, or the update fails (terraform-aws-eks#1875, #2708;
//! terraform-provider-aws#15007).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::model::Issue;

/// The issue that nodes of this AMI type will end with, if any.
pub(super) fn problem(ami_type: &str, user_data: Option<&str>) -> Option<Issue> {
    // With an AMI of one's own the user data is one's own as well.
    let user_data = user_data.filter(|_| ami_type != "CUSTOM")?;
    let text = STANDARD.decode(user_data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text else {
        // Compressed user data lands here (terraform-provider-aws#15007).
        return Some(misconfigured("User data was not in the MIME multipart format."));
    };
    if ami_type.starts_with("BOTTLEROCKET") {
        return (!looks_like_toml(&text)).then(|| misconfigured("User data was not in the TOML format."));
    }
    if !ami_type.starts_with("AL2") {
        return None;
    }
    let Some(parts) = multipart(&text) else {
        return Some(misconfigured("User data was not in the MIME multipart format."));
    };
    parts.iter().find_map(|part| part_problem(ami_type, part))
}

fn misconfigured(message: &str) -> Issue {
    Issue {
        code: "Ec2LaunchTemplateInvalidConfiguration".to_owned(),
        message: message.to_owned(),
        resource_ids: Vec::new(),
    }
}

/// How EKS tells that nodes started but never joined.
pub(super) fn not_joined() -> Issue {
    Issue {
        code: "NodeCreationFailure".to_owned(),
        message: "Instances failed to join the kubernetes cluster".to_owned(),
        resource_ids: Vec::new(),
    }
}

struct Part {
    content_type: String,
    body: String,
}

fn part_problem(ami_type: &str, part: &Part) -> Option<Issue> {
    match part.content_type.as_str() {
        "application/node.eks.aws" => {
            // nodeadm refuses anything else, and the node stays out.
            let known =
                part.body.contains("apiVersion: node.eks.aws/v1alpha1") && part.body.contains("kind: NodeConfig");
            (!known).then(not_joined)
        }
        "text/x-shellscript" | "text/cloud-config" | "text/cloud-boothook" => {
            // AL2023 has no bootstrap.sh: a script that calls it fails.
            let calls = ami_type.starts_with("AL2023") && part.body.contains("/etc/eks/bootstrap.sh");
            calls.then(not_joined)
        }
        other => Some(misconfigured(&format!("User data has a part of an unsupported content type: {other}"))),
    }
}

/// The parts of a MIME multipart text, or `None` if it is not one.
fn multipart(text: &str) -> Option<Vec<Part>> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.trim_start().split_once("\n\n")?;
    let content_type = header(head, "content-type")?;
    if !content_type.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let boundary = content_type
        .split(';')
        .filter_map(|parameter| parameter.trim().strip_prefix("boundary="))
        .map(|value| value.trim_matches('"').to_owned())
        .next()
        .filter(|value| !value.is_empty())?;
    let delimiter = format!("--{boundary}");
    let end = format!("{delimiter}--");
    let mut parts = Vec::new();
    let mut current: Option<String> = None;
    let mut closed = false;
    for line in body.lines() {
        if line.trim_end() == end {
            parts.extend(current.take());
            closed = true;
            break;
        } else if line.trim_end() == delimiter {
            parts.extend(current.replace(String::new()));
        } else if let Some(part) = &mut current {
            part.push_str(line);
            part.push('\n');
        }
    }
    if !closed {
        return None;
    }
    Some(
        parts
            .iter()
            .map(|part| {
                let (head, body) = part.split_once("\n\n").unwrap_or((part, ""));
                let content_type = header(head, "content-type").unwrap_or_else(|| "text/plain".to_owned());
                Part {
                    content_type: content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
                    body: body.to_owned(),
                }
            })
            .collect(),
    )
}

/// A header's value, with folded lines joined.
fn header(head: &str, name: &str) -> Option<String> {
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    unfolded.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// True when the first line that says something is a table or a setting.
fn looks_like_toml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        None => !text.starts_with("#!"),
        Some(line) => line.starts_with('[') && line.ends_with(']') || line.contains('='),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn code(ami_type: &str, text: &str) -> Option<String> {
        problem(ami_type, Some(&STANDARD.encode(text))).map(|issue| issue.code)
    }

    const NODE_CONFIG: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n--//\nContent-Type: application/node.eks.aws\n\n---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {}\n\n--//--\n";

    #[test]
    fn a_node_config_part_is_right() {
        assert_eq!(code("AL2023_x86_64_STANDARD", NODE_CONFIG), None);
        assert_eq!(code("AL2023_x86_64_STANDARD", &NODE_CONFIG.replace('\n', "\r\n")), None);
        assert_eq!(problem("AL2023_x86_64_STANDARD", None), None);
    }

    #[test]
    fn a_plain_script_is_not_multipart() {
        let expected = Some("Ec2LaunchTemplateInvalidConfiguration".to_owned());
        assert_eq!(code("AL2023_x86_64_STANDARD", "#!/bin/bash\n\necho hello\n"), expected);
        let unclosed = NODE_CONFIG.replace("--//--", "");
        assert_eq!(code("AL2023_x86_64_STANDARD", &unclosed), expected);
        assert_eq!(code("CUSTOM", "#!/bin/bash\n/etc/eks/bootstrap.sh"), None);
    }

    #[test]
    fn al2023_nodes_never_join_with_bootstrap_sh_or_a_strange_node_config() {
        let script = NODE_CONFIG
            .replace("application/node.eks.aws", "text/x-shellscript")
            .replace("spec: {}", "/etc/eks/bootstrap.sh ray");
        assert_eq!(code("AL2023_ARM_64_STANDARD", &script).unwrap(), "NodeCreationFailure");
        let strange = NODE_CONFIG.replace("kind: NodeConfig", "kind: Config");
        assert_eq!(code("AL2023_ARM_64_STANDARD", &strange).unwrap(), "NodeCreationFailure");
    }

    #[test]
    fn bottlerocket_takes_toml() {
        assert_eq!(code("BOTTLEROCKET_ARM_64", "# hi\n[settings.kubernetes]\nmax-pods = 110\n"), None);
        assert!(code("BOTTLEROCKET_ARM_64", NODE_CONFIG).is_some());
    }
}
