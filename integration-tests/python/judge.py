"""Calls every operation that rayplat uses, in right and in wrong order, against the
emulated account. botocore is the judge: it builds the requests, checks and parses the
answers, and raises the errors by their codes.

usage: judge.py ENDPOINT SUBNET SUBNET
prints the operations called, and `N checks passed` at the end
"""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, *SUBNETS = sys.argv[1:]
called = set()
checks = 0


def client(service):
    made = boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 1, "mode": "standard"}),
    )
    made.meta.events.register("before-call", lambda model, **_: called.add(f"{service},{model.name}"))
    made.meta.events.register("after-call", lambda model, parsed, **_: judge(model, parsed))
    return made


def judge(model, parsed):
    """The answer has the output shape's required members, each of its type."""
    if "Error" in parsed or model.output_shape is None:
        return
    walk(f"{model.name}", model.output_shape, parsed)


# What EC2 answers although its model has other values: states of VPC endpoints in small letters,
# `available` for an attached internet gateway (API reference, InternetGatewayAttachment), and the
# interface of a NAT gateway.
BESIDE_THE_MODEL = {
    ("State", "pending"), ("State", "available"), ("State", "deleting"),
    ("AttachmentStatus", "available"), ("NetworkInterfaceType", "nat_gateway"),
}


def walk(where, shape, value):
    kinds = {
        "structure": dict, "list": list, "map": dict, "string": str, "boolean": bool,
        "integer": int, "long": int, "float": (int, float), "double": (int, float),
    }
    if where.endswith(("PolicyDocument", "PolicyVersion.Document")) and isinstance(value, dict):
        return  # botocore's own handler has decoded it already
    if where == "GetBucketLocation.LocationConstraint" and value is None:
        return  # us-east-1, as botocore's own handler reads it
    wanted = kinds.get(shape.type_name)
    assert wanted is None or isinstance(value, wanted), f"{where}: {value!r} is no {shape.type_name}"
    if shape.type_name == "structure":
        for name in shape.required_members:
            assert name in value, f"{where}: {name} is missing"
        for name, inner in value.items():
            if name in shape.members:
                walk(f"{where}.{name}", shape.members[name], inner)
    elif shape.type_name == "list":
        for inner in value:
            walk(f"{where}[]", shape.member, inner)
    if getattr(shape, "enum", None) and (shape.name, value) not in BESIDE_THE_MODEL:
        assert value in shape.enum, f"{where}: {value!r} is none of {shape.enum}"


def check(condition, what):
    global checks
    assert condition, what
    checks += 1


def refused(code, call, **params):
    """The call is refused with this very code."""
    try:
        call(**params)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        check(found == code, f"{call.__name__}: {found} in place of {code}: {error}")
        check(error.response["Error"].get("Message"), f"{call.__name__}: {code} without a message")
    else:
        raise AssertionError(f"{call.__name__} was not refused with {code}")


def until(what, look, limit=60):
    end = time.time() + limit
    while time.time() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} took too long")


def patiently(codes, call, limit=30, **params):
    """As a client has to: propagation and busy objects are waited out."""
    end = time.time() + limit
    while True:
        try:
            return call(**params)
        except ClientError as error:
            if error.response["Error"]["Code"] not in codes or time.time() > end:
                raise
            time.sleep(0.02)


def gone(call, code="ResourceNotFoundException", **params):
    def look():
        try:
            call(**params)
        except ClientError as error:
            return error.response["Error"]["Code"] == code
        return False
    until(f"the end of {params}", look)


NAMES = ("iam", "kms", "logs", "ec2", "eks", "sts", "s3", "autoscaling", "sqs", "events")
iam, kms, logs, ec2, eks, sts, s3, autoscaling, sqs, events = (client(name) for name in NAMES)
TRUST = lambda service: json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
})
ACCOUNT = sts.get_caller_identity()["Account"]


def judge_iam():
    refused("NoSuchEntity", iam.get_role, RoleName="nobody")
    refused("NoSuchEntity", iam.delete_role, RoleName="nobody")
    refused("MalformedPolicyDocument", iam.create_role, RoleName="r", AssumeRolePolicyDocument="{")
    role = iam.create_role(RoleName="judge", AssumeRolePolicyDocument=TRUST("eks.amazonaws.com"),
                           Description="d", Tags=[{"Key": "a", "Value": "b"}])["Role"]
    check(role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/judge", role)
    refused("EntityAlreadyExists", iam.create_role, RoleName="judge", AssumeRolePolicyDocument=TRUST("x.amazonaws.com"))
    check(iam.get_role(RoleName="judge")["Role"]["AssumeRolePolicyDocument"]["Version"] == "2012-10-17", "document")
    iam.update_assume_role_policy(RoleName="judge", PolicyDocument=TRUST("ec2.amazonaws.com"))
    iam.update_role(RoleName="judge", Description="e")
    iam.tag_role(RoleName="judge", Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_role(RoleName="judge", TagKeys=["a"])
    found = iam.get_role(RoleName="judge")["Role"]
    check(found["Description"] == "e" and found["Tags"] == [{"Key": "c", "Value": "d"}], found)
    policy = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    refused("NoSuchEntity", iam.attach_role_policy, RoleName="judge", PolicyArn="arn:aws:iam::aws:policy/Nope")
    iam.attach_role_policy(RoleName="judge", PolicyArn=policy)
    check([p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="judge")["AttachedPolicies"]] == [policy], "attached")
    iam.put_role_policy(RoleName="judge", PolicyName="inline", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
    check(iam.get_role_policy(RoleName="judge", PolicyName="inline")["PolicyDocument"]["Statement"], "inline")
    refused("DeleteConflict", iam.delete_role, RoleName="judge")
    iam.detach_role_policy(RoleName="judge", PolicyArn=policy)
    iam.delete_role_policy(RoleName="judge", PolicyName="inline")
    iam.delete_role(RoleName="judge")
    for number in range(5):
        iam.create_role(RoleName=f"page-{number}", AssumeRolePolicyDocument=TRUST("ec2.amazonaws.com"))
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    check(len(pages) >= 3 and sum(len(page["Roles"]) for page in pages) >= 5, "pages of roles")
    for number in range(5):
        iam.delete_role(RoleName=f"page-{number}")


def judge_policies():
    document = lambda action: json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
    arn = iam.create_policy(PolicyName="judge", Path="/a/", PolicyDocument=document("s3:Get*"), Description="d",
                            Tags=[{"Key": "a", "Value": "b"}])["Policy"]["Arn"]
    check(arn == f"arn:aws:iam::{ACCOUNT}:policy/a/judge", arn)
    refused("EntityAlreadyExists", iam.create_policy, PolicyName="judge", PolicyDocument=document("s3:*"))
    refused("MalformedPolicyDocument", iam.create_policy, PolicyName="other", PolicyDocument="{")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    found = iam.get_policy(PolicyArn=arn)["Policy"]
    check(found["Tags"] == [{"Key": "c", "Value": "d"}] and found["Description"] == "d", found)
    check(iam.list_policy_tags(PolicyArn=arn)["Tags"] == found["Tags"], "tags")
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(f"s3:Get{number}"), SetAsDefault=True)
        check(made["PolicyVersion"]["VersionId"] == f"v{number}", made)
    refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=document("s3:Get6"))
    refused("DeleteConflict", iam.delete_policy_version, PolicyArn=arn, VersionId="v5")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    shown = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    check(shown["IsDefaultVersion"] and shown["Document"]["Statement"][0]["Action"] == "s3:Get2", shown)
    iam.create_role(RoleName="judge", AssumeRolePolicyDocument=TRUST("ec2.amazonaws.com"))
    iam.attach_role_policy(RoleName="judge", PolicyArn=arn)
    check([r["RoleName"] for r in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == ["judge"], "entities")
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    iam.detach_role_policy(RoleName="judge", PolicyArn=arn)
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    check([p["Arn"] for p in iam.list_policies(Scope="Local")["Policies"]] == [arn], "list")
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", iam.get_policy, PolicyArn=arn)
    iam.delete_role(RoleName="judge")


def judge_oidc():
    url = "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])["OpenIDConnectProviderArn"]
    check(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ThumbprintList"], "thumbprints are filled in")
    refused("EntityAlreadyExists", iam.create_open_id_connect_provider, Url=url, ClientIDList=["x"])
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="more")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="more")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["a" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    check(found["ThumbprintList"] == ["a" * 40] and found["ClientIDList"] == ["sts.amazonaws.com"], found)
    check(len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1, "one provider")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    refused("NoSuchEntity", iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)


def key_policy(*statements):
    mine = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [mine, *statements]})


def judge_kms_and_logs():
    refused("MalformedPolicyDocumentException", kms.create_key, Policy="{")
    key = kms.create_key(Policy=key_policy(), Description="d", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    id, arn = key["KeyId"], key["Arn"]
    kms.enable_key_rotation(KeyId=id)
    check(kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"], "rotation")
    kms.disable_key_rotation(KeyId=id)
    kms.update_key_description(KeyId=id, Description="e")
    kms.tag_resource(KeyId=id, Tags=[{"TagKey": "c", "TagValue": "d"}])
    kms.untag_resource(KeyId=id, TagKeys=["a"])
    check(kms.list_resource_tags(KeyId=id)["Tags"] == [{"TagKey": "c", "TagValue": "d"}], "tags")
    check(json.loads(kms.get_key_policy(KeyId=id, PolicyName="default")["Policy"])["Statement"], "policy")
    kms.create_alias(AliasName="alias/judge", TargetKeyId=id)
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/judge", TargetKeyId=id)
    other = kms.create_key(Policy=key_policy())["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/judge", TargetKeyId=other)
    check([a["TargetKeyId"] for a in kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/judge"] == [other], "alias")
    kms.delete_alias(AliasName="alias/judge")
    check(len(list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1}))) >= 2, "pages of keys")

    group = "/aws/eks/judge/cluster"
    refused("ResourceNotFoundException", logs.delete_log_group, logGroupName=group)
    try:
        logs.create_log_group(logGroupName=group, kmsKeyId=arn)
        raise AssertionError("CloudWatch Logs may not use this key")
    except ClientError as error:
        check(error.response["Error"]["Code"] in ("InvalidParameterException", "AccessDeniedException"), error)
    kms.put_key_policy(KeyId=id, PolicyName="default", Policy=key_policy({
        "Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
        "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",
        "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn":
                                    f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"}},
    }))
    logs.create_log_group(logGroupName=group, kmsKeyId=arn, tags={"a": "b"})
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName=group)
    refused("InvalidParameterException", logs.put_retention_policy, logGroupName=group, retentionInDays=8)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    check(found["retentionInDays"] == 7 and found["kmsKeyId"] == arn, found)
    logs.delete_retention_policy(logGroupName=group)
    logs.disassociate_kms_key(logGroupName=group)
    logs.associate_kms_key(logGroupName=group, kmsKeyId=arn)
    resource = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
    logs.tag_resource(resourceArn=resource, tags={"c": "d"})
    logs.untag_resource(resourceArn=resource, tagKeys=["a"])
    check(logs.list_tags_for_resource(resourceArn=resource)["tags"] == {"c": "d"}, "tags")
    logs.delete_log_group(logGroupName=group)
    for each in (id, other):
        kms.schedule_key_deletion(KeyId=each, PendingWindowInDays=7)
    refused("KMSInvalidStateException", kms.schedule_key_deletion, KeyId=id, PendingWindowInDays=7)
    check(kms.describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingDeletion", "pending")


def judge_ec2():
    vpc = ec2.describe_subnets(SubnetIds=SUBNETS)["Subnets"][0]["VpcId"]
    refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId="sg-0123456789abcdef0")
    group = ec2.create_security_group(GroupName="judge", Description="d", VpcId=vpc)["GroupId"]
    refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="judge", Description="d", VpcId=vpc)
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "Description": "self"}]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"][0]
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])
    out = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    way_out = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[out])["SecurityGroupRules"][0]
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    check(len(rules) == 3, rules)
    ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "b"}])
    check(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["Tags"] == [{"Key": "a", "Value": "b"}], "tags")
    ec2.delete_tags(Resources=[group], Tags=[{"Key": "a"}])
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[made["SecurityGroupRuleId"]])
    ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[way_out["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=group)
    data = {"MetadataOptions": {"HttpTokens": "required"}}
    template = ec2.create_launch_template(LaunchTemplateName="judge", LaunchTemplateData=data, ClientToken="t")["LaunchTemplate"]
    again = ec2.create_launch_template(LaunchTemplateName="judge", LaunchTemplateData=data, ClientToken="t")["LaunchTemplate"]
    check(again["LaunchTemplateId"] == template["LaunchTemplateId"], "the token is replayed")
    refused("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template,
            LaunchTemplateName="judge", LaunchTemplateData=data, ClientToken="u")
    id = template["LaunchTemplateId"]
    version = ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData=data)["LaunchTemplateVersion"]
    check(version["VersionNumber"] == 2, version)
    check(len(ec2.describe_launch_template_versions(LaunchTemplateId=id)["LaunchTemplateVersions"]) == 2, "versions")
    check(ec2.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"][0]["LatestVersionNumber"] == 2, "latest")
    ec2.delete_launch_template(LaunchTemplateId=id)


def judge_queues():
    missing, held = "AWS.SimpleQueueService.NonExistentQueue", "AWS.SimpleQueueService.QueueDeletedRecently"
    refused(missing, sqs.get_queue_url, QueueName="judge")
    try:
        sqs.get_queue_url(QueueName="judge")
    except sqs.exceptions.QueueDoesNotExist as error:
        check(error.response["Error"]["QueryErrorCode"] == "QueueDoesNotExist", error.response)
    attributes = {"MessageRetentionPeriod": "300"}
    url = sqs.create_queue(QueueName="judge", Attributes=attributes, tags={"a": "b"})["QueueUrl"]
    check(sqs.create_queue(QueueName="judge", Attributes=attributes)["QueueUrl"] == url, "the same queue")
    refused("QueueAlreadyExists", sqs.create_queue, QueueName="judge", Attributes={"MessageRetentionPeriod": "600"})
    check(sqs.get_queue_url(QueueName="judge")["QueueUrl"] == url, "url")
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    arn = shown["QueueArn"]
    check(arn == f"arn:aws:sqs:us-east-1:{ACCOUNT}:judge" and shown["SqsManagedSseEnabled"] == "true", shown)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    refused("InvalidAttributeValue", sqs.set_queue_attributes, QueueUrl=url, Attributes={"MessageRetentionPeriod": "1"})
    refused("InvalidAttributeName", sqs.set_queue_attributes, QueueUrl=url, Attributes={"Nonsense": "1"})
    check(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"] == {"Policy": policy}, "policy")
    sqs.tag_queue(QueueUrl=url, Tags={"c": "d"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    check(sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"c": "d"}, "tags")
    check(sqs.list_queues(QueueNamePrefix="jud")["QueueUrls"] == [url], "list")
    judge_rules(arn)
    sqs.delete_queue(QueueUrl=url)
    refused(missing, sqs.list_queue_tags, QueueUrl=url)
    patiently((held,), sqs.create_queue, QueueName="judge")
    sqs.delete_queue(QueueUrl=url)


def judge_rules(queue):
    pattern = json.dumps({"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]})
    refused("ResourceNotFoundException", events.describe_rule, Name="judge")
    refused("InvalidEventPatternException", events.put_rule, Name="judge", EventPattern='{"source": "aws.ec2"}')
    arn = events.put_rule(Name="judge", EventPattern=pattern, Description="d", Tags=[{"Key": "a", "Value": "b"}])["RuleArn"]
    events.put_rule(Name="judge", EventPattern=pattern, State="DISABLED")
    found = events.describe_rule(Name="judge")
    check(found["State"] == "DISABLED" and "Description" not in found and found["EventPattern"] == pattern, found)
    failed = events.put_targets(Rule="judge", Targets=[{"Id": "q", "Arn": queue}, {"Id": "w", "Arn": "wrong"}])
    check(failed["FailedEntryCount"] == 1 and failed["FailedEntries"][0]["TargetId"] == "w", failed)
    check(events.list_targets_by_rule(Rule="judge")["Targets"] == [{"Id": "q", "Arn": queue}], "targets")
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    check(events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "d"}], "tags")
    check([rule["Arn"] for rule in events.list_rules(NamePrefix="jud")["Rules"]] == [arn], "rules")
    refused("ValidationException", events.delete_rule, Name="judge")
    events.remove_targets(Rule="judge", Ids=["q"])
    events.delete_rule(Name="judge")
    refused("ResourceNotFoundException", events.list_tags_for_resource, ResourceARN=arn)


def fresh(call, **params):
    """What was made a moment ago may not be seen yet: EC2 is eventually consistent."""
    unseen = ("InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidInternetGatewayID.NotFound",
              "InvalidGatewayID.NotFound", "InvalidAllocationID.NotFound", "InvalidRouteTableID.NotFound")
    return patiently(unseen, call, **params)


def judge_vpc():
    zones = ec2.describe_availability_zones(Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}])["AvailabilityZones"]
    check(len(zones) == 6 and {zone["State"] for zone in zones} == {"available"}, zones)
    refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/8")
    tags = lambda kind: [{"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]}]
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]
    check(vpc["State"] == "pending" and vpc["Tags"] == [{"Key": "a", "Value": "b"}] and not vpc["IsDefault"], vpc)
    vpc = vpc["VpcId"]
    fresh(ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsSupport={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    names = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    check(names["EnableDnsHostnames"]["Value"] is True, names)
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    check(ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"][0]["IsDefault"], "the default ACL")
    check(ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"][0]["GroupName"] == "default", "the default group")
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="10.8.0.0/24")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24", AvailabilityZone="us-east-1a", TagSpecifications=tags("subnet"))
    subnet = subnet["Subnet"]["SubnetId"]
    refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc, CidrBlock="10.7.0.0/25")
    inner = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.32.0/19", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
    fresh(ec2.modify_subnet_attribute, SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    found = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
    check(found["MapPublicIpOnLaunch"] and found["AvailableIpAddressCount"] == 251, found)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    judge_ways_out(vpc, subnet, inner)
    for each in (subnet, inner):
        ec2.delete_subnet(SubnetId=each)
    refused("InvalidSubnetID.NotFound", ec2.delete_subnet, SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])


def judge_ways_out(vpc, subnet, inner):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = fresh(ec2.create_nat_gateway, SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    state = lambda id: ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"][0]
    until("a NAT gateway without an internet gateway", lambda: state(nat)["State"] == "failed")
    check(state(nat)["FailureCode"] == "Gateway.NotAttached", state(nat))
    fresh(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    found = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"]
    check(found[0]["Attachments"] == [{"State": "available", "VpcId": vpc}], found)
    params = dict(SubnetId=subnet, AllocationId=address, ClientToken="t")
    nat = ec2.create_nat_gateway(**params)["NatGateway"]["NatGatewayId"]
    check(ec2.create_nat_gateway(**params)["NatGateway"]["NatGatewayId"] == nat, "the token is replayed")
    refused("InvalidAllocationID.NotFound", ec2.create_nat_gateway, SubnetId=subnet, AllocationId="eipalloc-0123456789abcdef0")
    until("the NAT gateway", lambda: state(nat)["State"] == "available")
    check(ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]["AssociationId"], "the address is mapped")
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)

    outer, private = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    fresh(ec2.create_route, RouteTableId=outer, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    refused("RouteAlreadyExists", ec2.create_route, RouteTableId=outer, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=outer, SubnetId=subnet)
    association = ec2.associate_route_table(RouteTableId=outer, SubnetId=inner)["AssociationId"]
    refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=outer, SubnetId=inner)
    association = fresh(ec2.replace_route_table_association, AssociationId=association, RouteTableId=private)["NewAssociationId"]
    fresh(ec2.create_route, RouteTableId=private, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.replace_route(RouteTableId=private, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [inner]}])["RouteTables"]
    check([table["RouteTableId"] for table in tables] == [private], tables)
    check({route.get("NatGatewayId") for route in tables[0]["Routes"]} == {None, nat}, tables)
    judge_endpoints(vpc, inner, private)
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=private)
    ec2.delete_route(RouteTableId=private, DestinationCidrBlock="0.0.0.0/0")
    refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=private, DestinationCidrBlock="0.0.0.0/0")
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route_table(RouteTableId=private)
    refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["NetworkInterfaces"]
    check([each["InterfaceType"] for each in interfaces] == ["nat_gateway"], interfaces)
    refused("InvalidParameterValue", ec2.delete_network_interface, NetworkInterfaceId=interfaces[0]["NetworkInterfaceId"])
    refused("InvalidNetworkInterfaceID.NotFound", ec2.delete_network_interface, NetworkInterfaceId="eni-0123456789abcdef0")
    ec2.delete_nat_gateway(NatGatewayId=nat)
    until("the NAT gateway's end", lambda: state(nat)["State"] == "deleted")
    ec2.release_address(AllocationId=address)
    refused("InvalidAllocationID.NotFound", ec2.release_address, AllocationId=address)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    refused("Gateway.NotAttached", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    associations = ec2.describe_route_tables(RouteTableIds=[outer])["RouteTables"][0]["Associations"]
    for each in associations:
        ec2.disassociate_route_table(AssociationId=each["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=outer)


def judge_endpoints(vpc, subnet, table):
    service = "com.amazonaws.us-east-1."
    refused("InvalidServiceName", ec2.create_vpc_endpoint, VpcId=vpc, ServiceName="com.amazonaws.us-east-1.No Such")
    s3 = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service + "s3", RouteTableIds=[table])["VpcEndpoint"]
    check(s3["State"] == "available" and s3["VpcEndpointType"] == "Gateway", s3)
    sts = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service + "sts", VpcEndpointType="Interface", SubnetIds=[subnet],
                                  PrivateDnsEnabled=True)["VpcEndpoint"]
    ids = [s3["VpcEndpointId"], sts["VpcEndpointId"]]
    look = lambda: ec2.describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"]
    until("the endpoint", lambda: {each["State"] for each in look()} == {"available"})
    ec2.modify_vpc_endpoint(VpcEndpointId=ids[0], RemoveRouteTableIds=[table])
    ec2.modify_vpc_endpoint(VpcEndpointId=ids[0], AddRouteTableIds=[table])
    check([each["RouteTableIds"] for each in look() if each["VpcEndpointId"] == ids[0]] == [[table]], look())
    deleted = ec2.delete_vpc_endpoints(VpcEndpointIds=[*ids, "vpce-0123456789abcdef0"])["Unsuccessful"]
    check([each["Error"]["Code"] for each in deleted] == ["InvalidVpcEndpointId.NotFound"], deleted)
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    until("the endpoints' end", lambda: not ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"])


def role(name, service, *policies):
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST(service))["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return arn


def update_done(update, **of):
    def look():
        found = eks.describe_update(name="judge", updateId=update["id"], **of)["update"]
        assert found["status"] != "Failed", found
        return found["status"] == "Successful"
    until("an update", look)


def judge_eks():
    cluster_role = role("judge-cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy")
    node_role = role("judge-node", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
    network = {"subnetIds": SUBNETS}
    refused("ResourceNotFoundException", eks.describe_cluster, name="judge")
    refused("InvalidParameterException", eks.create_cluster, name="judge", roleArn=cluster_role, version="1.12",
            resourcesVpcConfig=network)
    propagation = ("InvalidParameterException",)
    params = dict(name="judge", roleArn=cluster_role, version="1.34", resourcesVpcConfig=network,
                  accessConfig={"authenticationMode": "API"}, bootstrapSelfManagedAddons=False,
                  clientRequestToken="x" * 40)
    patiently(propagation, eks.create_cluster, **params)
    check(eks.create_cluster(**params)["cluster"]["name"] == "judge", "the token is replayed")
    refused("ResourceInUseException", eks.create_cluster, **{**params, "clientRequestToken": "y" * 40})
    eks.get_waiter("cluster_active").wait(name="judge", WaiterConfig={"Delay": 1})
    cluster = eks.describe_cluster(name="judge")["cluster"]
    check(cluster["identity"]["oidc"]["issuer"].startswith("https://"), cluster)
    check("judge" in eks.list_clusters()["clusters"], "list")
    arn = cluster["arn"]
    eks.tag_resource(resourceArn=arn, tags={"a": "b"})
    eks.untag_resource(resourceArn=arn, tagKeys=["a"])
    busy = ("ResourceInUseException",)
    update = eks.update_cluster_config(name="judge", logging={"clusterLogging": [{"types": ["api"], "enabled": True}]})["update"]
    refused("ResourceInUseException", eks.update_cluster_config, name="judge",
            resourcesVpcConfig={"endpointPrivateAccess": True, "endpointPublicAccess": False})
    update_done(update)
    update = patiently(busy, eks.update_cluster_version, name="judge", version="1.35")["update"]
    update_done(update)
    key = kms.create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    encryption = [{"resources": ["secrets"], "provider": {"keyArn": key}}]
    update = patiently(busy, eks.associate_encryption_config, clusterName="judge", encryptionConfig=encryption)["update"]
    update_done(update)
    check(eks.describe_cluster(name="judge")["cluster"]["encryptionConfig"] == encryption, "encryption")
    judge_entries()
    judge_associations()
    judge_groups(node_role)
    judge_addons()
    patiently(busy, eks.delete_cluster, name="judge")
    gone(eks.describe_cluster, name="judge")
    for name, policies in (("judge-cluster", ["AmazonEKSClusterPolicy"]),
                           ("judge-node", ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])):
        for policy in policies:
            iam.detach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        iam.delete_role(RoleName=name)


def judge_entries():
    principal = f"arn:aws:iam::{ACCOUNT}:role/judge-node"
    key = dict(clusterName="judge", principalArn=principal)
    refused("ResourceNotFoundException", eks.describe_access_entry, **key)
    eks.create_access_entry(**key)
    refused("ResourceInUseException", eks.create_access_entry, **key)
    eks.update_access_entry(**key, kubernetesGroups=["people"])
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    eks.associate_access_policy(**key, policyArn=policy, accessScope={"type": "cluster"})
    check(eks.list_associated_access_policies(**key)["associatedAccessPolicies"][0]["policyArn"] == policy, "associated")
    eks.disassociate_access_policy(**key, policyArn=policy)
    check(eks.describe_access_entry(**key)["accessEntry"]["kubernetesGroups"] == ["people"], "groups")
    eks.delete_access_entry(**key)


def judge_groups(node_role):
    addon = dict(clusterName="judge", addonName="vpc-cni")
    eks.create_addon(**addon, configurationValues=json.dumps({"env": {"ENABLE_PREFIX_DELEGATION": "true"}}))
    until("vpc-cni", lambda: eks.describe_addon(**addon)["addon"]["status"] == "ACTIVE")
    offered = eks.describe_addon_versions(addonName="vpc-cni", kubernetesVersion="1.35")["addons"]
    check([entry["addonName"] for entry in offered] == ["vpc-cni"] and offered[0]["addonVersions"], "add-on versions")
    group = dict(clusterName="judge", nodegroupName="group")
    refused("ResourceNotFoundException", eks.describe_nodegroup, **group)
    params = dict(**group, nodeRole=node_role, subnets=SUBNETS, instanceTypes=["m6g.large"], amiType="AL2023_ARM_64_STANDARD",
                  scalingConfig={"minSize": 1, "desiredSize": 1, "maxSize": 2})
    refused("InvalidParameterException", eks.create_nodegroup,
            **{**params, "scalingConfig": {"minSize": 3, "desiredSize": 1, "maxSize": 2}})
    patiently(("InvalidParameterException",), eks.create_nodegroup, **params)
    refused("ResourceInUseException", eks.create_nodegroup, **params)
    until("the group", lambda: eks.describe_nodegroup(**group)["nodegroup"]["status"] == "ACTIVE")
    judge_group_tags(eks.describe_nodegroup(**group)["nodegroup"]["resources"]["autoScalingGroups"][0]["name"])
    refused("ResourceInUseException", eks.delete_cluster, name="judge")
    update = eks.update_nodegroup_config(**group, scalingConfig={"minSize": 1, "desiredSize": 1, "maxSize": 3})["update"]
    update_done(update, nodegroupName="group")
    update = patiently(("ResourceInUseException",), eks.update_nodegroup_version, **group)["update"]
    update_done(update, nodegroupName="group")
    check(eks.describe_nodegroup(**group)["nodegroup"]["scalingConfig"]["maxSize"] == 3, "scaling")


def judge_associations():
    trust = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
                       "Action": ["sts:AssumeRole", "sts:TagSession"]}],
    })
    arns = [iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"] for name in ("judge-a", "judge-b")]
    params = dict(clusterName="judge", namespace="ray", serviceAccount="workers", roleArn=arns[0], tags={"a": "b"},
                  clientRequestToken="p" * 40)
    made = patiently(("InvalidParameterException",), eks.create_pod_identity_association, **params)["association"]
    again = eks.create_pod_identity_association(**params)["association"]
    check(again["associationId"] == made["associationId"], "the token is replayed")
    refused("ResourceInUseException", eks.create_pod_identity_association, **{**params, "clientRequestToken": "q" * 40})
    key = dict(clusterName="judge", associationId=made["associationId"])
    other = f"arn:aws:iam::999999999999:role/target"
    patiently(("InvalidParameterException",), eks.update_pod_identity_association, **key, roleArn=arns[1], targetRoleArn=other)
    found = eks.describe_pod_identity_association(**key)["association"]
    check(found["roleArn"] == arns[1] and found["targetRoleArn"] == other and found["tags"] == {"a": "b"}, found)
    listed = eks.list_pod_identity_associations(clusterName="judge", namespace="ray", serviceAccount="workers")
    check([a["associationId"] for a in listed["associations"]] == [made["associationId"]], listed)
    check(not eks.list_pod_identity_associations(clusterName="judge", namespace="other")["associations"], "filter")
    eks.delete_pod_identity_association(**key)
    refused("ResourceNotFoundException", eks.describe_pod_identity_association, **key)
    for name in ("judge-a", "judge-b"):
        iam.delete_role(RoleName=name)


def judge_group_tags(name):
    group = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    check(group["MaxSize"] == 2 and len(group["Instances"]) == 1, group)
    check({"eks:nodegroup-name", "k8s.io/cluster-autoscaler/enabled"} <= {tag["Key"] for tag in group["Tags"]}, group["Tags"])
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "k", "Value": "v", "PropagateAtLaunch": False}
    autoscaling.create_or_update_tags(Tags=[tag])
    filters = [{"Name": "auto-scaling-group", "Values": [name]}, {"Name": "key", "Values": ["k"]}]
    check(autoscaling.describe_tags(Filters=filters)["Tags"] == [tag], "group tags")
    pages = list(autoscaling.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 2}))
    check(len(pages) == 3 and sum(len(page["Tags"]) for page in pages) == 6, "pages of group tags")
    autoscaling.delete_tags(Tags=[{key: tag[key] for key in ("ResourceId", "ResourceType", "Key")}])
    check(autoscaling.describe_tags(Filters=filters)["Tags"] == [], "group tags are gone")
    refused("ValidationError", autoscaling.create_or_update_tags, Tags=[{**tag, "ResourceId": "nobody"}])


def judge_addons():
    addon = dict(clusterName="judge", addonName="coredns")
    refused("ResourceNotFoundException", eks.describe_addon, **addon)
    refused("InvalidParameterException", eks.create_addon, **addon, configurationValues='{"nonsense": 1}')
    identity = role("judge-pod", "pods.eks.amazonaws.com")
    iam.update_assume_role_policy(RoleName="judge-pod", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"},
                       "Action": ["sts:AssumeRole", "sts:TagSession"]}],
    }))
    eks.create_addon(**addon)
    refused("ResourceInUseException", eks.create_addon, **addon)
    until("coredns", lambda: eks.describe_addon(**addon)["addon"]["status"] == "ACTIVE")
    update = eks.update_addon(**addon, configurationValues='{"replicaCount": 3}')["update"]
    update_done(update, addonName="coredns")
    csi = dict(clusterName="judge", addonName="aws-ebs-csi-driver")
    patiently(("InvalidParameterException",), eks.create_addon, **csi,
              podIdentityAssociations=[{"serviceAccount": "ebs-csi-controller-sa", "roleArn": identity}])
    until("csi", lambda: eks.describe_addon(**csi)["addon"]["status"] == "ACTIVE")
    arn = eks.describe_addon(**csi)["addon"]["podIdentityAssociations"][0]
    found = eks.describe_pod_identity_association(clusterName="judge", associationId=arn.rsplit("/", 1)[1])["association"]
    check(found["roleArn"] == identity, found)
    for each in (addon, csi, dict(clusterName="judge", addonName="vpc-cni")):
        eks.delete_addon(**each)
        gone(eks.describe_addon, **each)
    group = dict(clusterName="judge", nodegroupName="group")
    eks.delete_nodegroup(**group)
    gone(eks.describe_nodegroup, **group)
    iam.delete_role(RoleName="judge-pod")


def judge_prices():
    pricing = client("pricing")
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in (
        ("regionCode", "us-east-1"), ("instanceType", "m6g.xlarge"), ("operatingSystem", "Linux"))]
    products = [json.loads(text) for page in pricing.get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2", Filters=filters) for text in page["PriceList"]]
    check(len(products) == 1, products)
    (term,) = products[0]["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    check(dimension["pricePerUnit"] == {"USD": "0.1540000000"}, dimension)
    refused("InvalidParameterException", pricing.get_products, ServiceCode="AmazonEC2", MaxResults=101)



def judge_s3():
    name = f"judge-{ACCOUNT}"
    bucket = dict(Bucket=name)
    refused("NoSuchBucket", s3.get_bucket_tagging, **bucket)
    refused("NoSuchBucket", s3.delete_bucket, **bucket)
    refused("InvalidBucketName", s3.create_bucket, Bucket="a..b")
    s3.create_bucket(**bucket, CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "b"}]},
                     ObjectOwnership="BucketOwnerEnforced")
    s3.create_bucket(**bucket)  # us-east-1: no error
    check(s3.get_bucket_tagging(**bucket)["TagSet"] == [{"Key": "a", "Value": "b"}], "tags of the first moment")
    check(name in [b["Name"] for b in s3.list_buckets(Prefix="judge-")["Buckets"]], "list")
    check(s3.get_bucket_location(**bucket)["LocationConstraint"] is None, "location")
    check(s3.head_bucket(**bucket)["BucketRegion"] == "us-east-1", "region")
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, **bucket)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, **bucket)
    refused("InvalidTag", s3.put_bucket_tagging, **bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}] * 2})
    s3.put_bucket_tagging(**bucket, Tagging={"TagSet": [{"Key": "c", "Value": "d & e"}]})
    check(s3.get_bucket_tagging(**bucket)["TagSet"] == [{"Key": "c", "Value": "d & e"}], "tags")
    key = kms.create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    check(s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"] == [rule], "encryption")
    four = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    check(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"] == four, "blocked from the first moment")
    s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=four)
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(**bucket, OwnershipControls=controls)
    check(s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"] == controls, "ownership")
    policy = lambda effect: json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"}]})
    refused("MalformedPolicy", s3.put_bucket_policy, **bucket, Policy="{")
    refused("AccessDenied", s3.put_bucket_policy, **bucket, Policy=policy("Allow"))
    s3.put_bucket_policy(**bucket, Policy=policy("Deny"))
    check(s3.get_bucket_policy(**bucket)["Policy"] == policy("Deny"), "policy")
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}]
    s3.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": rules})
    check(s3.get_bucket_lifecycle_configuration(**bucket)["Rules"] == rules, "lifecycle")
    check("Status" not in s3.get_bucket_versioning(**bucket), "no versions yet")
    s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Enabled"})
    check(s3.get_bucket_versioning(**bucket)["Status"] == "Enabled", "versions")
    judge_objects(name, bucket)
    refused("BucketNotEmpty", s3.delete_bucket, **bucket)
    while True:
        page = s3.list_object_versions(**bucket, MaxKeys=3)
        found = [{"Key": one["Key"], "VersionId": one["VersionId"]}
                 for one in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        if not found:
            break
        check("Errors" not in s3.delete_objects(**bucket, Delete={"Objects": found, "Quiet": True}), "deleted")
    s3.delete_bucket_lifecycle(**bucket)
    s3.delete_bucket_policy(**bucket)
    s3.delete_bucket_encryption(**bucket)
    s3.delete_public_access_block(**bucket)
    s3.delete_bucket_tagging(**bucket)
    s3.delete_bucket(**bucket)
    gone(s3.head_bucket, "404", **bucket)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def judge_objects(name, bucket):
    key = dict(**bucket, Key="a/b c+d\u00fc")
    refused("NoSuchKey", s3.get_object, **key)
    refused("NoSuchKey", s3.put_object, **key, Body=b"x", IfMatch='"e"')
    first = s3.put_object(**key, Body=b"one", IfNoneMatch="*", ServerSideEncryption="AES256")
    refused("PreconditionFailed", s3.put_object, **key, Body=b"two", IfNoneMatch="*")
    second = s3.put_object(**key, Body=b"two", IfMatch=first["ETag"])
    refused("PreconditionFailed", s3.put_object, **key, Body=b"three", IfMatch=first["ETag"])
    check(second["ServerSideEncryption"] == "aws:kms", second)
    got = s3.get_object(**key)
    check(got["Body"].read() == b"two" and got["ETag"] == second["ETag"] and got["ContentLength"] == 3, got)
    head = s3.head_object(**key)
    check(head["ContentLength"] == 3 and head["VersionId"] == second["VersionId"], head)
    check(s3.get_object(**key, VersionId=first["VersionId"])["Body"].read() == b"one", "the older version")
    check([one["Key"] for one in s3.list_objects_v2(**bucket, Prefix="a/")["Contents"]] == [key["Key"]], "list")
    check(s3.list_objects_v2(**bucket, Delimiter="/")["CommonPrefixes"] == [{"Prefix": "a/"}], "folders")
    refused("PreconditionFailed", s3.delete_object, **key, IfMatch=first["ETag"])
    check(s3.delete_object(**key, IfMatch=second["ETag"])["DeleteMarker"], "a delete marker")
    refused("NoSuchKey", s3.get_object, **key)
    for number in range(4):
        s3.put_object(**bucket, Key=f"page-{number}", Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(**bucket, PaginationConfig={"PageSize": 3}))
    check([len(page["Contents"]) for page in pages] == [3, 1], pages)
    versions = list(s3.get_paginator("list_object_versions").paginate(**bucket, PaginationConfig={"PageSize": 2}))
    check(sum(len(page.get("Versions", [])) for page in versions) == 6, versions)
    check(sum(len(page.get("DeleteMarkers", [])) for page in versions) == 1, versions)


for judged in (judge_iam, judge_policies, judge_oidc, judge_kms_and_logs, judge_ec2, judge_vpc, judge_queues, judge_eks, judge_prices,
               judge_s3):
    judged()
print(" ".join(sorted(called)))
print(f"{checks} checks passed")
