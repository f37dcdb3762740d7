//! The table: a text, and every error that it has as `line:column: message`.

/// A text and its errors.
pub type Case = (&'static str, &'static [&'static str]);

/// Whole files.
pub const WHOLE: &[Case] = &[
    ("", &["1:1: the manifest is empty"]),
    ("# nothing\n", &["1:1: the manifest is empty"]),
    ("---\n...\n", &["2:1: the manifest is empty"]),
    ("- a\n- b\n", &["1:1: a manifest is a mapping of keys, not a list"]),
    ("just words\n", &["1:1: a manifest is a mapping of keys, not the string \"just words\""]),
    ("name: a\n---\nname: b\n", &["2:1: a second document begins here; a manifest is one document"]),
    ("name: [a\n", &["2:1: not valid YAML: while parsing a flow sequence, expected ',' or ']'"]),
    ("name: \"a\n", &["1:7: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"]),
    ("name: a\n\tregion: b\n", &["1:7: not valid YAML: while scanning a plain scalar, found a tab"]),
    ("name: a: b\n", &["1:8: not valid YAML: mapping values are not allowed in this context"]),
    ("name: *nobody\n", &["1:7: not valid YAML: while parsing node, found unknown anchor"]),
    ("name: a\n region: b\n", &["2:8: not valid YAML: mapping values are not allowed in this context"]),
    ("name: a\nregion: us-east-1\n", &["1:1: the manifest has no `network`"]),
    (
        "{}",
        &["1:1: the manifest has no `name`", "1:1: the manifest has no `network`", "1:1: the manifest has no `region`"],
    ),
];

/// What follows five right lines.
pub const AFTER_HEAD: &[Case] = &[
    // YAML that is no manifest's.
    ("name: b\n", &["6:1: the key \"name\" stands twice in this mapping: on line 1 and on line 6"]),
    ("tags: {a: b, a: c}\n", &["6:14: the key \"a\" stands twice in this mapping: on line 6 and on line 6"]),
    ("tags: {1: b}\n", &["6:8: a key must be a string, not the number 1"]),
    ("tags: {true: b}\n", &["6:8: a key must be a string, not the truth value true"]),
    ("tags: {? [a] : b}\n", &["6:10: a key must be a string, not a list"]),
    ("tags: &t {a: b}\ncluster:\n  <<: *t\n", &["8:3: merge keys (`<<`) have no meaning in a manifest"]),
    ("tags: &t\n  a: *t\n", &["7:6: this alias stands inside the value that it names, which would never end"]),
    ("environment: !mine dev\n", &["6:14: the tag \"!mine\" has no meaning in a manifest"]),
    // Versions that do not go together, and updates said twice.
    (
        "addons: {kube-proxy: {version: v1.36.1-eksbuild.2}}\n",
        &["6:32: kube-proxy v1.36.1-eksbuild.2 is newer than the control plane, Kubernetes 1.35"],
    ),
    (
        "addons: {kube-proxy: {version: v1.31.14-eksbuild.2}}\n",
        &[
            "6:32: kube-proxy v1.31.14-eksbuild.2 is more than three minor versions behind the control plane, Kubernetes 1.35",
        ],
    ),
    (
        "node_pools: {cpu: {ami_release: 1.34.5-20261112}}\n",
        &["6:33: the AMI release 1.34.5-20261112 is not of Kubernetes 1.35, the cluster's version"],
    ),
    (
        "node_pools: {cpu: {update: {max_unavailable: 1, max_unavailable_percentage: 50}}}\n",
        &["6:49: `max_unavailable` and `max_unavailable_percentage` say the same thing twice"],
    ),
    (
        "node_pools: {cpu: {update: {force: maybe}}}\n",
        &["6:36: `force` must be true or false, not the string \"maybe\""],
    ),
    // Unknown keys.
    ("node_pool: {}\n", &["6:1: there is no key `node_pool` in a manifest"]),
    ("dashboards: {}\n", &["6:1: there is no key `dashboards` in a manifest"]),
    ("policies: a.rego\n", &["6:11: `policies` must be a list, not the string \"a.rego\""]),
    (
        "policy: {allow: {node-budge: \"it is agreed\"}}\n",
        &["6:18: there is no built-in policy \"node-budge\"; rules in files of your own are changed there"],
    ),
    (
        "policy: {allow: {node-budget: \"  ok  \"}}\n",
        &["6:31: \"  ok  \" gives no reason why the policy does not hold here"],
    ),
    ("cluster: {version: \"1.35\"}\n", &["6:11: there is no key `version` in `cluster`"]),
    ("cluster:\n  logs:\n    retention: 7\n", &["8:5: there is no key `retention` in `cluster.logs`"]),
    ("node_pools: {gpu: {max_size: 3}}\n", &["6:20: there is no key `max_size` in `node_pools.gpu`"]),
    ("addons: {core-dns: {}}\n", &["6:10: there is no key `core-dns` in `addons`"]),
    // Wrong types.
    ("node_pools: {cpu: {max: ten}}\n", &["6:25: `max` must be a whole number, not the string \"ten\""]),
    ("node_pools: {cpu: {max: \"10\"}}\n", &["6:25: `max` must be a whole number, not the string \"10\""]),
    ("node_pools: {cpu: {max: 2.5}}\n", &["6:25: `max` must be a whole number, not the number 2.5"]),
    ("node_pools: [cpu]\n", &["6:13: `node_pools` must be a mapping of keys, not a list"]),
    ("node_pools:\n", &["6:1: `node_pools` must be a mapping of keys, not nothing"]),
    (
        "node_pools: {cpu: {instance_types: m6g.xlarge}}\n",
        &["6:36: `instance_types` must be a list, not the string \"m6g.xlarge\""],
    ),
    ("cluster: {kubernetes_version: 1.35}\n", &["6:31: `kubernetes_version` must be a string, not the number 1.35"]),
    ("cluster: {endpoint: {public: yes}}\n", &["6:30: `public` must be true or false, not the string \"yes\""]),
    ("cluster: {deletion_protection: 1}\n", &["6:32: `deletion_protection` must be true or false, not the number 1"]),
    ("tags: {cost-center: 0123}\n", &["6:21: `cost-center` must be a string, not the number 0123"]),
    ("autoscaler: true\n", &["6:13: `autoscaler` must be a mapping of keys, not the truth value true"]),
    (
        "addons: {coredns: {configuration: {a: .inf}}}\n",
        &["6:39: `a` must be a number that JSON can hold, not the number .inf"],
    ),
    // What cannot be wanted together.
    (
        "cluster: {authentication_mode: config_map, admins: [\"arn:aws:iam::111122223333:role/a\"]}\n",
        &["6:52: `admins` are access entries, which `authentication_mode: config_map` does not know"],
    ),
    (
        "cluster: {secrets_encryption: false, secrets_key_arn: \"arn:aws:kms:us-east-1:111122223333:key/a\"}\n",
        &["6:55: `secrets_key_arn` has no meaning while `secrets_encryption` is false"],
    ),
    (
        "addons: {vpc-cni: {own_role: false}}\n",
        &["6:30: vpc-cni uses the nodes' role, which has not got AmazonEKS_CNI_Policy"],
    ),
    (
        "cluster: {node_role_policies: [a b]}\n",
        &[
            "6:32: `node_role_policies[0]` must be the name of an AWS-managed policy, or the ARN of a policy, not \"a b\"",
        ],
    ),
    // Enumerations and ranges.
    ("environment: prod\n", &["6:14: `environment` must be one of production, staging, dev, not \"prod\""]),
    ("environment:\n", &["6:1: `environment` must be one of production, staging, dev, not nothing"]),
    (
        "node_pools: {cpu: {capacity: SPOT}}\n",
        &["6:30: `capacity` must be one of on_demand, spot, capacity_block, not \"SPOT\""],
    ),
    (
        "cluster: {logs: {retention_days: 10}}\n",
        &[
            "6:34: `retention_days` must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, not 10",
        ],
    ),
    (
        "cluster: {logs: {types: [api, audits]}}\n",
        &["6:31: `types[1]` must be one of api, audit, authenticator, controllerManager, scheduler, not \"audits\""],
    ),
    (
        "cluster: {logs: {types: [api, api]}}\n",
        &["6:31: the string \"api\" stands twice in `types`: on line 6 and on line 6"],
    ),
    ("node_pools: {cpu: {min: -1}}\n", &["6:25: `min` must be at least 0, not -1"]),
    ("node_pools: {cpu: {max: 0}}\n", &["6:25: `max` must be at least 1, not 0"]),
    (
        "node_pools: {cpu: {max: 99999999999999999999}}\n",
        &["6:25: `max` must be at most 100000, not 99999999999999999999"],
    ),
    ("node_pools: {cpu: {disk: {size_gb: 8}}}\n", &["6:36: `size_gb` must be at least 20, not 8"]),
    ("node_pools: {}\n", &["6:1: `node_pools` is empty"]),
    (
        "node_pools: {Big_Pool: {instance_types: [m6g.large]}}\n",
        &[
            "6:14: the name \"Big_Pool\" must be at most 20 lower-case letters, digits and `-`, beginning with a letter and not ending with `-`",
        ],
    ),
    // Network ranges, keys, principals.
    (
        "cluster: {endpoint: {public: true, public_cidrs: [10.0.0.0/33]}}\n",
        &["6:51: \"10.0.0.0/33\" is not a network in CIDR notation"],
    ),
    (
        "cluster: {endpoint: {public: true, public_cidrs: [203.0.113.7/24]}}\n",
        &["6:51: 203.0.113.7/24 has bits set after the first 24"],
    ),
    (
        "cluster: {endpoint: {public: true, public_cidrs: [203.0.113.7]}}\n",
        &["6:51: \"203.0.113.7\" is not a network in CIDR notation"],
    ),
    (
        "cluster: {endpoint: {public: true, public_cidrs: [10.0.0.0/8]}}\n",
        &["6:51: 10.0.0.0/8 is a private network: nobody comes from it to the public endpoint"],
    ),
    (
        "cluster: {endpoint: {public_cidrs: [203.0.113.0/24]}}\n",
        &["6:22: `public_cidrs` has no meaning while `public` is false"],
    ),
    (
        "cluster: {endpoint: {private: false}}\n",
        &["6:31: the Kubernetes API would be reachable from nowhere: `public` and `private` are both false"],
    ),
    (
        "cluster:\n  secrets_key_arn: arn:aws:kms:us-east-1:111122223333:alias/mine\n",
        &[
            "7:20: `secrets_key_arn` must be the ARN of a KMS key (not of an alias), not \"arn:aws:kms:us-east-1:111122223333:alias/mine\"",
        ],
    ),
    (
        "cluster:\n  secrets_key_arn: arn:aws:kms:eu-west-1:111122223333:key/a\n",
        &["7:20: the key is in eu-west-1 and the cluster in us-east-1: EKS takes keys of its own region only"],
    ),
    (
        "cluster:\n  admins: [arn:aws:iam::111122223333:root]\n",
        &["7:12: `admins[0]` must be the ARN of an IAM role or user, not \"arn:aws:iam::111122223333:root\""],
    ),
    // Kubernetes versions.
    (
        "cluster: {kubernetes_version: \"1.31\"}\n",
        &["6:31: Kubernetes 1.31 is too old: EKS's support for it has ended or is about to"],
    ),
    (
        "cluster: {kubernetes_version: \"1.33\"}\n",
        &["6:31: standard support for Kubernetes 1.33 ended on 2026-07-29, and `support` is standard"],
    ),
    (
        "cluster: {kubernetes_version: \"1.99\"}\n",
        &["6:31: Kubernetes 1.99 is newer than this rayplat knows (up to 1.36)"],
    ),
    (
        "cluster: {kubernetes_version: \"1.35.2\"}\n",
        &["6:31: `kubernetes_version` must be a Kubernetes minor version without a patch number, not \"1.35.2\""],
    ),
    // Pools.
    ("node_pools: {cpu: {min: 5, max: 4}}\n", &["6:25: `min` is 5 and `max` is 4: `min` cannot be more than `max`"]),
    (
        "node_pools: {cpu: {desired: 9, max: 4}}\n",
        &["6:29: `desired` is 9 and `max` is 4: `desired` cannot be more than `max`"],
    ),
    (
        "node_pools: {cpu: {min: 3, desired: 1}}\n",
        &["6:37: `min` is 3 and `desired` is 1: `min` cannot be more than `desired`"],
    ),
    (
        "node_pools:\n  batch: {max: 3}\n",
        &["7:3: the pool `batch` has no `instance_types`; only the pools `cpu` and `gpu` have a default"],
    ),
    (
        "node_pools: {cpu: {instance_types: [m6g.xlarge, m6i.xlarge]}}\n",
        &["6:49: m6i.xlarge is x86_64 and m6g.xlarge is arm64: one pool has one architecture"],
    ),
    (
        "node_pools: {gpu: {instance_types: [g5.xlarge, m5.xlarge]}}\n",
        &["6:48: m5.xlarge and g5.xlarge have not the same kind of accelerator: one pool has one AMI"],
    ),
    ("node_pools: {cpu: {instance_types: []}}\n", &["6:36: `instance_types` must have at least 1 entry, and has 0"]),
    (
        "node_pools: {cpu: {instance_types: [m6g]}}\n",
        &["6:37: `instance_types[0]` must be an EC2 instance type, a family and a size, not \"m6g\""],
    ),
    (
        "node_pools: {cpu: {ami: AL2023_x86_64_STANDARD}}\n",
        &["6:25: AL2023_x86_64_STANDARD is for x86_64 and m6g.xlarge is arm64"],
    ),
    (
        "node_pools: {gpu: {ami: AL2023_x86_64_STANDARD}}\n",
        &["6:25: AL2023_x86_64_STANDARD has no driver for the accelerator of g4dn.xlarge"],
    ),
    (
        "node_pools: {cpu: {fallback: {max: 2}}}\n",
        &["6:20: the pool `cpu` is On-Demand, and a fallback stands in for Spot"],
    ),
    (
        "node_pools: {gpu: {fallback: {min: 2, max: 1}}}\n",
        &["6:36: `min` is 2 and `max` is 1: `min` cannot be more than `max`"],
    ),
    (
        "node_pools: {gpu: {fallback: {instance_types: [m6g.xlarge]}}}\n",
        &[
            "6:48: m6g.xlarge cannot stand in for g4dn.xlarge: architecture or accelerator differ, and pods for one do not run on the other",
        ],
    ),
    (
        "node_pools: {cpu: {taints: [{key: a, effect: NoWay}]}}\n",
        &["6:46: `effect` must be one of NoSchedule, PreferNoSchedule, NoExecute, not \"NoWay\""],
    ),
    (
        "node_pools: {cpu: {taints: [{value: a}]}}\n",
        &["6:29: `taints[0]` has no `effect`", "6:29: `taints[0]` has no `key`"],
    ),
    (
        "node_pools: {cpu: {taints: [{key: a/b/c, effect: NoSchedule}]}}\n",
        &["6:35: \"a/b/c\" is not a taint key: it has the character \"/\""],
    ),
    (
        "node_pools: {cpu: {labels: {-a: b}}}\n",
        &["6:29: \"-a\" is not a Kubernetes label key: it must begin and end with a letter or a digit"],
    ),
    ("node_pools: {cpu: {labels: {a: b c}}}\n", &["6:32: \"b c\" is not a label value: it has the character \" \""]),
    // What is wrong hides no other finding, and makes none.
    (
        "node_pools: {cpu: {instance_types: [m6g], ami: AL2023_x86_64_STANDARD, min: 3, max: 2}}\n",
        &[
            "6:37: `instance_types[0]` must be an EC2 instance type, a family and a size, not \"m6g\"",
            "6:77: `min` is 3 and `max` is 2: `min` cannot be more than `max`",
        ],
    ),
    // Tags and addons.
    ("tags: {\"aws:a\": b}\n", &["6:8: tag keys that begin with `aws:` belong to AWS"]),
    ("tags: {\"Rayplat:stack\": b}\n", &["6:8: tag keys that begin with `rayplat:` belong to rayplat"]),
    ("tags: {a: \"b;c\"}\n", &["6:11: a tag's value cannot have the character \";\""]),
    (
        "addons: {coredns: {version: 1.11.4}}\n",
        &["6:29: `version` must be an addon version as EKS writes them, not \"1.11.4\""],
    ),
];

/// Cases that replace the five right lines.
pub const HEADS: &[Case] = &[
    ("a-name-that-is-longer-than-forty-characters-x", &["1:7: `name` must have at most 40 characters, and has 45"]),
    (
        "-a",
        &["1:7: `name` must be made of letters, digits, `-` and `_`, beginning with a letter or a digit, not \"-a\""],
    ),
    ("3", &["1:7: `name` must be a string, not the number 3"]),
    ("''", &["1:7: `name` must be made of letters, digits, `-` and `_`, beginning with a letter or a digit, not \"\""]),
    ("a\nregion: us-east-1a", &["2:9: `region` must be an AWS region, not \"us-east-1a\""]),
    ("a\nregion: r", &["2:9: `region` must be an AWS region, not \"r\""]),
];

/// Networks.
pub const NETWORKS: &[Case] = &[
    (
        "{vpc_id: vpc-1, subnet_ids: [subnet-0abcd123, subnet-0abcd124]}",
        &["3:19: `vpc_id` must be a VPC id: `vpc-` and 8 or 17 of the characters 0-9 and a-f, not \"vpc-1\""],
    ),
    (
        "{vpc_id: vpc-0abcd123, subnet_ids: [subnet-0abcd123]}",
        &["3:45: `subnet_ids` must have at least 2 entries, and has 1"],
    ),
    (
        "{vpc_id: vpc-0abcd123, subnet_ids: [subnet-0abcd123, subnet-0abcd123]}",
        &["3:63: the string \"subnet-0abcd123\" stands twice in `subnet_ids`: on line 3 and on line 3"],
    ),
    (
        "{vpc_id: vpc-0abcd123, subnet_ids: [subnet-0abcd123, vpc-0abcd123]}",
        &[
            "3:63: `subnet_ids[1]` must be a subnet id: `subnet-` and 8 or 17 of the characters 0-9 and a-f, not \"vpc-0abcd123\"",
        ],
    ),
    ("{vpc_id: vpc-0abcd123}", &["3:1: `network` has no `subnet_ids`"]),
    ("{subnet_ids: [subnet-0abcd123, subnet-0abcd124]}", &["3:1: `network` has no `vpc_id`"]),
    ("{}", &["3:1: `network` has neither `vpc_id` and `subnet_ids` nor `create`"]),
    (
        "{vpc_id: vpc-0abcd123, subnet_ids: [subnet-0abcd123, subnet-0abcd124], create: {}}",
        &["3:81: `create` makes a network, and `vpc_id` names one that exists: a platform has one network"],
    ),
    (
        "{create: {cidr: 10.0.0.0/16}, subnet_ids: [subnet-0abcd123, subnet-0abcd124]}",
        &["3:11: `create` makes a network, and `subnet_ids` names one that exists: a platform has one network"],
    ),
    ("{create: true}", &["3:19: `create` must be a mapping of keys, not the truth value true"]),
    ("{create: {zones: 3}}", &["3:20: there is no key `zones` in `network.create`"]),
    ("{create: {cidr: 10.0.0.0}}", &["3:26: `cidr` must be an IPv4 block in CIDR notation, not \"10.0.0.0\""]),
    ("{create: {cidr: 10.0.1.0/16}}", &["3:26: 10.0.1.0/16 has bits set after the first 16"]),
    ("{create: {cidr: 10.0.0.0/21}}", &["3:26: a VPC for a platform is a /16 to a /20, not a /21"]),
    ("{create: {cidr: 10.0.0.0/8}}", &["3:26: a VPC for a platform is a /16 to a /20, not a /8"]),
    ("{create: {availability_zones: 1}}", &["3:40: `availability_zones` must be at least 2, not 1"]),
    ("{create: {availability_zones: 7}}", &["3:40: `availability_zones` must be at most 6, not 7"]),
    (
        "{create: {availability_zones: \"3\"}}",
        &["3:40: `availability_zones` must be a whole number, not the string \"3\""],
    ),
    (
        "{create: {availability_zones: [us-east-1a]}}",
        &["3:40: `availability_zones` must have at least 2 entries, and has 1"],
    ),
    (
        "{create: {availability_zones: [us-east-1a, us-east-1]}}",
        &["3:53: `availability_zones[1]` must be the name of an Availability Zone, not \"us-east-1\""],
    ),
    ("{create: {availability_zones: [us-east-1a, eu-west-1a]}}", &["3:53: eu-west-1a is not a zone of us-east-1"]),
    (
        "{create: {availability_zones: [us-east-1a, us-east-1h]}}",
        &["3:53: us-east-1h: rayplat has blocks for the zones a to g of a region"],
    ),
    ("{create: {nat_gateways: all}}", &["3:34: `nat_gateways` must be one of single, per_az, none, not \"all\""]),
    (
        "{create: {nat_gateways: none, vpc_endpoints: [s3, ecr, sts]}}",
        &[
            "3:34: without NAT gateways nodes reach AWS through VPC endpoints only, and these are missing: ec2, logs, eks, eks-auth, elasticloadbalancing, autoscaling",
        ],
    ),
    (
        "{create: {nat_gateways: none, vpc_endpoints: [s3, ecr, ec2, sts, logs, eks, eks-auth, elasticloadbalancing, autoscaling]}}\ncluster: {endpoint: {private: false, public: true}}",
        &["3:34: without NAT gateways nodes reach the Kubernetes API by its private endpoint only, and that is off"],
    ),
    (
        "{create: {vpc_endpoints: [s3, s3]}}",
        &["3:40: the string \"s3\" stands twice in `vpc_endpoints`: on line 3 and on line 3"],
    ),
];
