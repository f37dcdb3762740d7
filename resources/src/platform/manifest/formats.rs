//! The forms that strings of a manifest must have.
//!
//! A form is a pattern for the published schema and the same rule as a
//! function for our own check; the tests hold the two together.

/// The form of a string.
pub struct Format {
    /// The rule as JSON Schema states it (an ECMA 262 regular expression).
    pub pattern: &'static str,
    /// The rule as a function.
    pub matches: fn(&str) -> bool,
    /// The rule in words, after "must be".
    pub expected: &'static str,
    /// A string that has the form.
    pub example: &'static str,
}

/// A platform's name: EKS's rule for cluster names (CreateCluster, API
/// reference), and short enough for the names that are made of it.
pub static NAME: Format = Format {
    pattern: "^[0-9A-Za-z][0-9A-Za-z_-]*$",
    matches: |text| starts(text, alphanumeric) && all(text, |c| alphanumeric(c) || "_-".contains(c)),
    expected: "made of letters, digits, `-` and `_`, beginning with a letter or a digit",
    example: "production-ray-cluster",
};

/// An AWS region.
pub static REGION: Format = Format {
    pattern: "^[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$",
    matches: is_region,
    expected: "an AWS region",
    example: "us-east-1",
};

/// A VPC's id.
pub static VPC_ID: Format = Format {
    pattern: "^vpc-([0-9a-f]{8}|[0-9a-f]{17})$",
    matches: |text| is_id(text, "vpc-"),
    expected: "a VPC id: `vpc-` and 8 or 17 of the characters 0-9 and a-f",
    example: "vpc-0abcd1234ef567890",
};

/// A subnet's id.
pub static SUBNET_ID: Format = Format {
    pattern: "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
    matches: |text| is_id(text, "subnet-"),
    expected: "a subnet id: `subnet-` and 8 or 17 of the characters 0-9 and a-f",
    example: "subnet-0123456789abcdef0",
};

/// A VPC's block; how long its prefix may be is another rule.
pub static VPC_CIDR: Format = Format {
    pattern: "^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$",
    matches: |text| {
        let length = text.split_once('/').map(|(_, length)| length).unwrap_or_default();
        text.parse::<ipnet::Ipv4Net>().is_ok() && (length == "0" || !length.starts_with('0'))
    },
    expected: "an IPv4 block in CIDR notation",
    example: "10.0.0.0/16",
};

/// An Availability Zone.
pub static ZONE: Format = Format {
    pattern: "^[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}[a-z]$",
    matches: |text| {
        let letter = text.chars().next_back();
        letter.is_some_and(lower) && is_region(&text[..text.len() - 1])
    },
    expected: "the name of an Availability Zone",
    example: "us-east-1a",
};

/// A Kubernetes minor version.
pub static KUBERNETES_VERSION: Format = Format {
    pattern: "^1\\.[0-9]{1,2}$",
    matches: |text| text.strip_prefix("1.").is_some_and(|minor| count(minor, 1, 2) && all(minor, digit)),
    expected: "a Kubernetes minor version without a patch number",
    example: "1.35",
};

/// The ARN of a KMS key. An alias is not one: EKS takes keys only.
pub static KMS_KEY_ARN: Format = Format {
    pattern: "^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9A-Za-z-]+$",
    matches: is_kms_key_arn,
    expected: "the ARN of a KMS key (not of an alias)",
    example: "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
};

/// The ARN of an IAM role or user.
pub static PRINCIPAL_ARN: Format = Format {
    pattern: "^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[0-9A-Za-z_+=,.@/-]+$",
    matches: is_principal_arn,
    expected: "the ARN of an IAM role or user",
    example: "arn:aws:iam::111122223333:role/platform-team",
};

/// The ARN of an IAM policy.
pub static POLICY_ARN: Format = Format {
    pattern: "^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[0-9A-Za-z_+=,.@/-]+$",
    matches: is_policy_arn,
    expected: "the ARN of an IAM policy",
    example: "arn:aws:iam::111122223333:policy/autoscaler",
};

/// The name of an AWS-managed policy, with its path, or the ARN of any.
pub static POLICY: Format = Format {
    pattern: "^[0-9A-Za-z_+=,.@/-]+$|^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[0-9A-Za-z_+=,.@/-]+$",
    matches: |text| {
        is_policy_arn(text) || (!text.is_empty() && all(text, |c| alphanumeric(c) || "_+=,.@/-".contains(c)))
    },
    expected: "the name of an AWS-managed policy, or the ARN of a policy",
    example: "service-role/AmazonEBSCSIDriverPolicy",
};

/// A node pool's name: a Kubernetes label value, and part of AWS names.
pub static POOL_NAME: Format = Format {
    pattern: "^[a-z][a-z0-9-]{0,18}[a-z0-9]$|^[a-z]$",
    matches: |text| {
        starts(text, lower)
            && ends(text, |c| lower(c) || digit(c))
            && count(text, 1, 20)
            && all(text, |c| lower(c) || digit(c) || c == '-')
    },
    expected: "at most 20 lower-case letters, digits and `-`, beginning with a letter and not ending with `-`",
    example: "gpu-large",
};

/// An EC2 instance type.
pub static INSTANCE_TYPE: Format = Format {
    pattern: "^[a-z][a-z0-9-]*\\.[a-z0-9-]+$",
    matches: |text| {
        let part = |c| lower(c) || digit(c) || c == '-';
        text.split_once('.').is_some_and(|(family, size)| {
            starts(family, lower) && all(family, part) && !size.is_empty() && all(size, part)
        })
    },
    expected: "an EC2 instance type, a family and a size",
    example: "m6g.xlarge",
};

/// An addon's version, as EKS numbers them.
pub static ADDON_VERSION: Format = Format {
    pattern: "^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$",
    matches: is_addon_version,
    expected: "an addon version as EKS writes them",
    example: "v1.20.4-eksbuild.1",
};

/// An AMI's id.
pub static IMAGE_ID: Format = Format {
    pattern: "^ami-([0-9a-f]{8}|[0-9a-f]{17})$",
    matches: |text| is_id(text, "ami-"),
    expected: "an AMI id: `ami-` and 8 or 17 of the characters 0-9 and a-f",
    example: "ami-0123456789abcdef0",
};

/// The id of a Capacity Reservation or Capacity Block.
pub static CAPACITY_RESERVATION_ID: Format = Format {
    pattern: "^cr-([0-9a-f]{8}|[0-9a-f]{17})$",
    matches: |text| is_id(text, "cr-"),
    expected: "a Capacity Reservation's id: `cr-` and 8 or 17 of the characters 0-9 and a-f",
    example: "cr-0123456789abcdef0",
};

/// The ARN of a resource group.
pub static RESOURCE_GROUP_ARN: Format = Format {
    pattern: "^arn:aws[a-z-]*:resource-groups:[a-z0-9-]+:[0-9]{12}:group/[0-9A-Za-z_.-]+$",
    matches: is_resource_group_arn,
    expected: "the ARN of a resource group",
    example: "arn:aws:resource-groups:us-east-1:111122223333:group/gpu-reservations",
};

/// An IPv4 network in CIDR notation; its numbers are checked elsewhere.
pub static CIDR: Format = Format {
    pattern: "^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$",
    matches: is_cidr,
    expected: "an IPv4 network in CIDR notation",
    example: "10.100.0.0/16",
};

/// When something happens again and again, as cron writes it.
pub static SCHEDULE: Format = Format {
    pattern: "^[0-9A-Za-z*/,-]+( [0-9A-Za-z*/,-]+){4}$",
    matches: is_schedule,
    expected: "five fields as cron has them: minute, hour, day of the month, month, day of the week",
    example: "0 2 * * *",
};

/// A version of Ray.
pub static RAY_VERSION: Format = Format {
    pattern: "^[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}$",
    matches: |text| {
        let parts: Vec<&str> = text.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| count(part, 1, 3) && all(part, digit))
    },
    expected: "a version of Ray",
    example: "2.60.0",
};

/// A name of Kubernetes', RFC 1123.
pub static DNS_LABEL: Format = Format {
    pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    matches: |text| {
        let edge = |c| lower(c) || digit(c);
        count(text, 1, 63) && starts(text, edge) && ends(text, edge) && all(text, |c| edge(c) || c == '-')
    },
    expected: "a Kubernetes name: 63 characters at most of a-z, 0-9 and `-`, with neither end a `-`",
    example: "ray",
};

/// Every form, for the check of a schema.
pub static ALL: [&Format; 21] = [
    &RAY_VERSION,
    &DNS_LABEL,
    &POLICY_ARN,
    &POLICY,
    &NAME,
    &REGION,
    &VPC_ID,
    &SUBNET_ID,
    &VPC_CIDR,
    &ZONE,
    &KUBERNETES_VERSION,
    &KMS_KEY_ARN,
    &PRINCIPAL_ARN,
    &POOL_NAME,
    &INSTANCE_TYPE,
    &ADDON_VERSION,
    &IMAGE_ID,
    &CAPACITY_RESERVATION_ID,
    &RESOURCE_GROUP_ARN,
    &CIDR,
    &SCHEDULE,
];

/// The form whose pattern this is.
#[must_use]
pub fn by_pattern(pattern: &str) -> Option<&'static Format> {
    ALL.into_iter().find(|format| format.pattern == pattern)
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase()
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn all(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    text.chars().all(allowed)
}

fn starts(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    text.chars().next().is_some_and(allowed)
}

fn ends(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    text.chars().next_back().is_some_and(allowed)
}

fn count(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [partition, words @ .., number] = parts.as_slice() else {
        return false;
    };
    count(partition, 2, 4)
        && all(partition, lower)
        && (1..=3).contains(&words.len())
        && words.iter().all(|word| count(word, 2, 12) && all(word, lower))
        && count(number, 1, 2)
        && all(number, digit)
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|id| (id.len() == 8 || id.len() == 17) && all(id, |c| digit(c) || ('a'..='f').contains(&c)))
}

/// The parts of an ARN, with the partition's form looked at:
/// (service, region, account, resource).
fn arn(text: &str) -> Option<(&str, &str, &str, &str)> {
    let rest = text.strip_prefix("arn:")?;
    let mut parts = rest.splitn(5, ':');
    let partition = parts.next()?.strip_prefix("aws")?;
    let parts = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    all(partition, |c| lower(c) || c == '-').then_some(parts)
}

fn is_account(text: &str) -> bool {
    count(text, 12, 12) && all(text, digit)
}

fn is_kms_key_arn(text: &str) -> bool {
    let Some(("kms", region, account, resource)) = arn(text) else {
        return false;
    };
    let key = resource.strip_prefix("key/").unwrap_or_default();
    !region.is_empty()
        && all(region, |c| lower(c) || digit(c) || c == '-')
        && is_account(account)
        && !key.is_empty()
        && all(key, |c| alphanumeric(c) || c == '-')
}

fn is_principal_arn(text: &str) -> bool {
    let Some(("iam", "", account, resource)) = arn(text) else {
        return false;
    };
    let name = resource.strip_prefix("role/").or_else(|| resource.strip_prefix("user/")).unwrap_or_default();
    is_account(account) && !name.is_empty() && all(name, |c| alphanumeric(c) || "_+=,.@/-".contains(c))
}

fn is_resource_group_arn(text: &str) -> bool {
    let Some(("resource-groups", region, account, resource)) = arn(text) else {
        return false;
    };
    let name = resource.strip_prefix("group/").unwrap_or_default();
    !region.is_empty()
        && all(region, |c| lower(c) || digit(c) || c == '-')
        && is_account(account)
        && !name.is_empty()
        && all(name, |c| alphanumeric(c) || "_.-".contains(c))
}

fn is_schedule(text: &str) -> bool {
    let fields: Vec<&str> = text.split(' ').collect();
    let field = |text: &&str| !text.is_empty() && all(text, |c| alphanumeric(c) || "*/,-".contains(c));
    fields.len() == 5 && fields.iter().all(field)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let parts: Vec<&str> = address.split('.').collect();
    let number = |text: &str, most| count(text, 1, most) && all(text, digit);
    parts.len() == 4 && parts.into_iter().all(|part| number(part, 3)) && number(length, 2)
}

fn is_policy_arn(text: &str) -> bool {
    let Some(("iam", "", account, resource)) = arn(text) else {
        return false;
    };
    let name = resource.strip_prefix("policy/").unwrap_or_default();
    (account == "aws" || is_account(account))
        && !name.is_empty()
        && all(name, |c| alphanumeric(c) || "_+=,.@/-".contains(c))
}

fn is_addon_version(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && all(text, digit);
    let Some((version, build)) = text.split_once("-eksbuild.") else {
        return false;
    };
    let Some(version) = version.strip_prefix('v') else {
        return false;
    };
    let parts: Vec<&str> = version.split('.').collect();
    parts.len() == 3 && parts.into_iter().all(number) && number(build)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::string::string_regex;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[test]
    fn examples_have_their_form() {
        for format in ALL {
            assert!((format.matches)(format.example), "{}", format.pattern);
            assert!(std::ptr::eq(by_pattern(format.pattern).unwrap(), format));
        }
    }

    /// Whatever the published pattern allows, the function allows.
    #[test]
    fn functions_accept_what_patterns_accept() {
        let mut runner = TestRunner::deterministic();
        for format in ALL {
            let strings = string_regex(&format.pattern.replace(['^', '$'], "")).unwrap();
            for _ in 0..200 {
                let text = strings.new_tree(&mut runner).unwrap().current();
                assert!((format.matches)(&text), "{} does not take {text:?}", format.pattern);
            }
        }
    }

    #[test]
    fn functions_refuse_what_patterns_refuse() {
        let refused: [(&Format, &[&str]); 21] = [
            (&RAY_VERSION, &["", "2.60", "2.60.0rc1", "v2.60.0", "2..0"]),
            (&DNS_LABEL, &["", "Ray", "-ray", "ray-", "a.b", "a_b"]),
            (&POLICY_ARN, &["", "AmazonEKSClusterPolicy", "arn:aws:iam::1:policy/a", "arn:aws:iam::aws:policy/"]),
            (&POLICY, &["", "a b", "arn:aws:iam::111122223333:role/a", "arn:aws:iam::aws:policy/"]),
            (&NAME, &["", "-a", "_a", "a b", "a.b", "é"]),
            (&REGION, &["", "us-east", "us-east-1a", "US-EAST-1", "us--1", "useast1", "-east-1"]),
            (&VPC_ID, &["vpc-", "vpc-0abc", "vpc-0ABCD123", "subnet-0abcd123", "vpc-0abcd1234ef56789g"]),
            (&SUBNET_ID, &["subnet-1", "vpc-0abcd123", "subnet-0123456789abcdef01"]),
            (&VPC_CIDR, &["", "10.0.0.0", "10.0.0.0/33", "10.0.0/16", "256.0.0.0/16", "::/16", "10.0.0.0/016"]),
            (&ZONE, &["", "us-east-1", "us-east-1A", "us-east-1ab", "us-west-2-lax-1a1", "1a", "use1-az1"]),
            (&KUBERNETES_VERSION, &["1", "1.", "1.350", "1.35.1", "v1.35", "2.1", "1.x"]),
            (
                &KMS_KEY_ARN,
                &[
                    "arn:aws:kms:us-east-1:111122223333:alias/mine",
                    "arn:aws:iam::111122223333:role/a",
                    "arn:aws:kms:us-east-1:1111:key/a",
                    "arn:aws:kms:us-east-1:111122223333:key/",
                    "arn:aws:kms::111122223333:key/a",
                    "arn:azure:kms:us-east-1:111122223333:key/a",
                    "1234abcd-12ab-34cd-56ef-1234567890ab",
                ],
            ),
            (
                &PRINCIPAL_ARN,
                &[
                    "arn:aws:iam::111122223333:root",
                    "arn:aws:iam::111122223333:role/",
                    "arn:aws:sts::111122223333:assumed-role/a/b",
                    "arn:aws:iam:us-east-1:111122223333:role/a",
                    "arn:aws:iam::111122223333:group/a",
                ],
            ),
            (&POOL_NAME, &["", "Cpu", "1a", "a-", "a_b", "abcdefghijklmnopqrstu"]),
            (&INSTANCE_TYPE, &["", "m6g", "m6g.", ".xlarge", "M6g.xlarge", "m6g.x.large", "6g.large"]),
            (&ADDON_VERSION, &["", "1.20.4-eksbuild.1", "v1.20.4", "v1.20-eksbuild.1", "v1.2.3-eksbuild."]),
            (&IMAGE_ID, &["", "ami-", "ami-0abc", "AMI-0abcd123", "cr-0abcd123"]),
            (&CAPACITY_RESERVATION_ID, &["", "cr-1", "ami-0abcd123"]),
            (
                &RESOURCE_GROUP_ARN,
                &["", "arn:aws:resource-groups:us-east-1:1:group/a", "arn:aws:iam::111122223333:role/a"],
            ),
            (&SCHEDULE, &["", "daily", "0 2 * *", "0 2 * * * *", "0 2  * *", "@daily"]),
            (&CIDR, &["", "10.0.0.0", "10.0.0/8", "10.0.0.0/", "10.0.0.0/123", "a.b.c.d/8", "::/8"]),
        ];
        for (format, texts) in refused {
            for text in texts {
                assert!(!(format.matches)(text), "{} takes {text:?}", format.pattern);
            }
        }
    }

    proptest! {
        #[test]
        fn no_string_panics(text in ".{0,40}") {
            for format in ALL {
                let _ = (format.matches)(&text);
            }
        }
    }
}
