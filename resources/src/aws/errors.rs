//! What AWS's errors mean, and what to do about them.
//!
//! Sources: the error sections of the API references of IAM, EKS, EC2, KMS, S3
//! and CloudWatch Logs; the propagation texts are those that terraform-provider-aws and
//! eksctl retry on (terraform-provider-aws `internal/service/eks/cluster.go`).

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use rayplat_engine::error::{ErrorClass, ProviderError};

/// Turns an SDK error into the engine's.
pub fn classify<E>(error: SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match &error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or_default();
            let class = class_of(status, code, message);
            let shown = if message.is_empty() { format!("HTTP status {status}") } else { message.to_owned() };
            let mut result = ProviderError::new(class, shown).code(if code.is_empty() { "Unknown" } else { code });
            result.hint = hint_for(class, code, message);
            result
        }
        // The request may have arrived.
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
            ProviderError::new(ErrorClass::Ambiguous, shown(&error))
        }
        // A connection that was never made had no effect, but the SDK does not tell it
        // from one that broke: both count as unknown.
        SdkError::DispatchFailure(failure) => {
            let text = shown(&error);
            if text.contains("credential") {
                no_credentials("no AWS credentials were found".to_owned())
            } else if failure.is_user() {
                ProviderError::new(ErrorClass::Invalid, text)
            } else if failure.as_connector_error().is_some() {
                ProviderError::new(ErrorClass::Ambiguous, text).hint(
                    "The endpoint could not be reached or the connection broke: check network, proxy, region and endpoint.",
                )
            } else {
                ProviderError::new(ErrorClass::Invalid, text)
            }
        }
        _ => {
            let text = shown(&error);
            if text.contains("credential") {
                no_credentials(text)
            } else {
                ProviderError::new(ErrorClass::Invalid, text)
            }
        }
    }
}

fn no_credentials(text: String) -> ProviderError {
    ProviderError::new(ErrorClass::Denied, text).hint(
        "No usable AWS credentials were found. Log in (`aws sso login`), choose a profile (AWS_PROFILE), or try the \
         platform without an account: add --rehearse.",
    )
}

/// A refusal that stands in an answer with status 200, as the class of an error with 400.
pub(super) fn refusal(code: &str, message: &str) -> ProviderError {
    let class = class_of(400, code, message);
    let mut error = ProviderError::new(class, message).code(code);
    error.hint = hint_for(class, code, message);
    error
}

fn shown<E: std::error::Error + 'static>(error: &E) -> String {
    DisplayErrorContext(error).to_string().split(" (").next().unwrap_or_default().to_owned()
}

/// Texts by which EKS says that IAM has not propagated yet.
const PROPAGATION: [&str; 7] = [
    "does not exist",
    "Role could not be assumed because the trusted entity is not correct",
    "Error in role params",
    "doesn't have the Amazon EKS Managed Policies",
    "IAM role's policy must include",
    "Cross-account pass role is not allowed",
    "is not authorized to perform: sts:AssumeRole",
];

fn class_of(status: u16, code: &str, message: &str) -> ErrorClass {
    let code = code.rsplit('#').next().unwrap_or(code);
    match code {
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "PriorRequestNotComplete" => {
            return ErrorClass::Throttled;
        }
        "DependencyViolation" | "DeleteConflict" | "DeleteConflictException" | "InvalidIPAddress.InUse" => {
            return ErrorClass::InUse;
        }
        "Resource.AlreadyAssociated" => return ErrorClass::AlreadyExists,
        "OperationAbortedException" | "ConcurrentModification" | "ConcurrentModificationException" => {
            return ErrorClass::Busy;
        }
        "BucketAlreadyOwnedByYou" => return ErrorClass::AlreadyExists,
        // It does not empty by itself.
        "BucketNotEmpty" => return ErrorClass::Invalid,
        // S3 did not get the whole request in time: API error responses.
        "RequestTimeout" => return ErrorClass::Ambiguous,
        // The name of a deleted queue is free again after 60 seconds.
        "QueueDeletedRecently" | "AWS.SimpleQueueService.QueueDeletedRecently" => return ErrorClass::Busy,
        "QueueNameExists" => return ErrorClass::AlreadyExists,
        _ => {}
    }
    if code.contains("LimitExceeded") || code.ends_with("QuotaExceededException") {
        return ErrorClass::Quota;
    }
    if code == "InvalidParameterException" && PROPAGATION.iter().any(|text| message.contains(text)) {
        return ErrorClass::Propagation;
    }
    // A fresh role is not a valid principal in a key policy yet.
    if code == "MalformedPolicyDocumentException" && message.contains("invalid principals") {
        return ErrorClass::Propagation;
    }
    if code == "ResourceInUseException" || status == 409 {
        return conflict(code, message);
    }
    if is_not_found(code, message) {
        return ErrorClass::NotFound;
    }
    if code.contains("AlreadyExists") || code.contains("Duplicate") {
        return ErrorClass::AlreadyExists;
    }
    // EKS says so with status 400 of what it may not do in the caller's name.
    if message.contains("not authorized to launch instances") || message.contains("due to missing permissions for") {
        return ErrorClass::Denied;
    }
    if matches!(status, 401 | 403)
        || code.contains("AccessDenied")
        || code.contains("Unauthorized")
        || code.contains("ExpiredToken")
    {
        return ErrorClass::Denied;
    }
    match status {
        429 => ErrorClass::Throttled,
        500.. => ErrorClass::Ambiguous,
        _ => ErrorClass::Invalid,
    }
}

fn conflict(code: &str, message: &str) -> ErrorClass {
    let lower = message.to_lowercase();
    if code.contains("AlreadyExists") || lower.contains("already exist") || lower.contains("already in use") {
        ErrorClass::AlreadyExists
    } else if lower.contains("attached") || lower.contains("in use by") {
        ErrorClass::InUse
    } else {
        ErrorClass::Busy
    }
}

fn is_not_found(code: &str, message: &str) -> bool {
    matches!(code, "NoSuchEntity" | "NoSuchEntityException" | "ResourceNotFoundException" | "NotFoundException")
        || code.ends_with("NotFound")
        || code.ends_with("NotFoundException")
        // S3's: NoSuchBucket, NoSuchTagSet, ServerSideEncryptionConfigurationNotFoundError, ...
        || code.starts_with("NoSuch")
        || code.ends_with("NotFoundError")
        || code == "NotFound"
        // SQS, by the name of the shape and by that of its older protocol.
        || matches!(code, "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue")
        || (code == "ClientException" && message.contains("No cluster found for name"))
}

/// What to do, where more can be said than the service says.
pub fn hint_for(class: ErrorClass, code: &str, message: &str) -> Option<String> {
    let by_code = match code {
        "UnsupportedAvailabilityZoneException" => {
            "The control plane cannot run in that zone: give subnets in other zones (use1-az3, usw1-az2 and cac1-az3 are excluded)."
        }
        "ExpiredToken" | "ExpiredTokenException" => {
            "The credentials have expired: log in again, then run the same command."
        }
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => {
            "The policy document is not accepted; the message says which part."
        }
        _ => "",
    };
    if !by_code.is_empty() {
        return Some(by_code.to_owned());
    }
    if let Some(hint) = missing_permission(message) {
        return Some(hint);
    }
    match class {
        ErrorClass::Denied => Some(
            "The caller may not do this. Grant the action named in the message, or use a profile that has it; then run \
             the same command again."
                .to_owned(),
        ),
        ErrorClass::Quota => Some(
            "A quota of the account is reached. Ask for a higher one in Service Quotas, or remove what is not needed; then \
             run the same command again."
                .to_owned(),
        ),
        ErrorClass::InUse if message.contains("nodegroups") => {
            Some("Node groups that are not of this platform are attached to the cluster: delete them first.".to_owned())
        }
        _ => None,
    }
}

/// Which permission a refusal names, and what to do. The texts: IAM user guide,
/// "Troubleshoot access denied error messages", and EKS's own of what it does with the
/// caller's permissions (terraform-aws-eks#823, aws-samples/terraform-eks-code#13).
fn missing_permission(message: &str) -> Option<String> {
    const AGAIN: &str = "then run the same command again; `rayplat up --rehearse` prints the whole policy";
    if message.contains("not authorized to launch instances with this launch template") {
        return Some(format!(
            "Allow ec2:RunInstances on the instances, volumes, network interfaces, images, subnets, security groups and \
             launch template of the node group, and ec2:CreateTags on what is launched, {AGAIN}."
        ));
    }
    let quoted = message.split_once("due to missing permissions for '").and_then(|(_, rest)| rest.split('\'').next());
    if let Some(action) = quoted {
        return Some(format!("Allow {action} on EKS's service-linked role, {AGAIN}."));
    }
    let (_, rest) = message.split_once("is not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?;
    let on = rest.split_once(" on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
    let on = on.map_or_else(String::new, |arn| format!(" on {}", arn.trim_matches('"')));
    if rest.contains("explicit deny") {
        return Some(format!("A policy denies {action}{on} explicitly: change that policy, or use another profile."));
    }
    Some(format!("Allow {action}{on}, {AGAIN}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_permission() {
        let user = "User: arn:aws:sts::123456789012:assumed-role/deployer/ci is not authorized to perform: ";
        let hint = |message: &str| hint_for(ErrorClass::Denied, "AccessDenied", message).unwrap_or_default();
        let role = "arn:aws:iam::123456789012:role/x";
        let why = "because no identity-based policy allows the iam:CreateRole action";
        let plain = hint(&format!("{user}iam:CreateRole on resource: {role} {why}"));
        assert!(plain.starts_with(&format!("Allow iam:CreateRole on {role}, then run")), "{plain}");
        let everywhere =
            hint(&format!("You are not authorized to perform this operation. {user}ec2:DescribeVpcs {why}"));
        assert!(everywhere.starts_with("Allow ec2:DescribeVpcs, then run"), "{everywhere}");
        let denied =
            hint(&format!("{user}kms:CreateKey on resource: * with an explicit deny in a service control policy"));
        assert!(denied.starts_with("A policy denies kms:CreateKey on * explicitly"), "{denied}");
        let launch = hint("You are not authorized to launch instances with this launch template. Encoded");
        assert!(launch.contains("ec2:RunInstances") && launch.contains("ec2:CreateTags"), "{launch}");
        let linked = hint(
            "Failed to create service linked role: AWSServiceRoleForAmazonEKSNodegroup due to missing permissions for \
             'iam:CreateServiceLinkedRole'",
        );
        assert!(linked.starts_with("Allow iam:CreateServiceLinkedRole on"), "{linked}");
        assert!(hint("not authorized").starts_with("The caller may not do this."));
    }

    #[test]
    fn classes() {
        let cases = [
            (400, "Throttling", "Rate exceeded", ErrorClass::Throttled),
            (409, "EntityAlreadyExists", "Role with name x already exists.", ErrorClass::AlreadyExists),
            (409, "ResourceInUseException", "Cluster already exists with name: x", ErrorClass::AlreadyExists),
            (409, "ResourceInUseException", "Cluster has nodegroups attached", ErrorClass::InUse),
            (
                409,
                "ResourceInUseException",
                "Cannot LoggingUpdate because cluster x currently has update u in progress",
                ErrorClass::Busy,
            ),
            (409, "DeleteConflict", "Cannot delete entity, must detach all policies first.", ErrorClass::InUse),
            (404, "NoSuchEntity", "The role with name x cannot be found.", ErrorClass::NotFound),
            (400, "InvalidGroup.NotFound", "The security group 'sg-1' does not exist", ErrorClass::NotFound),
            (400, "NatGatewayNotFound", "The Nat Gateway nat-1 was not found", ErrorClass::NotFound),
            (400, "RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists.", ErrorClass::AlreadyExists),
            (400, "Resource.AlreadyAssociated", "resource igw-1 is already attached", ErrorClass::AlreadyExists),
            (400, "InvalidIPAddress.InUse", "Address 198.51.100.1 is in use.", ErrorClass::InUse),
            (400, "VpcLimitExceeded", "The maximum number of VPCs has been reached.", ErrorClass::Quota),
            (400, "InvalidParameterException", "The role with name x does not exist", ErrorClass::Propagation),
            (400, "InvalidParameterException", "unsupported Kubernetes version", ErrorClass::Invalid),
            (
                400,
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
                ErrorClass::AlreadyExists,
            ),
            (400, "InvalidPermission.Duplicate", "the specified rule already exists", ErrorClass::AlreadyExists),
            (403, "AccessDenied", "not authorized", ErrorClass::Denied),
            (404, "NoSuchTagSet", "The TagSet does not exist", ErrorClass::NotFound),
            (404, "OwnershipControlsNotFoundError", "", ErrorClass::NotFound),
            (409, "BucketAlreadyOwnedByYou", "you already own it", ErrorClass::AlreadyExists),
            (409, "BucketAlreadyExists", "The requested bucket name is not available.", ErrorClass::AlreadyExists),
            (409, "BucketNotEmpty", "The bucket you tried to delete is not empty", ErrorClass::Invalid),
            (409, "OperationAborted", "A conflicting conditional operation is in progress", ErrorClass::Busy),
            (503, "SlowDown", "Please reduce your request rate.", ErrorClass::Throttled),
            (
                400,
                "AWS.SimpleQueueService.NonExistentQueue",
                "The specified queue does not exist.",
                ErrorClass::NotFound,
            ),
            (400, "AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds", ErrorClass::Busy),
            (400, "QueueAlreadyExists", "A queue already exists with the same name", ErrorClass::AlreadyExists),
            (500, "ServiceFailure", "", ErrorClass::Ambiguous),
            (409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000", ErrorClass::Quota),
        ];
        for (status, code, message, class) in cases {
            assert_eq!(class_of(status, code, message), class, "{code}: {message}");
        }
    }
}
