//! Launch templates of node groups: disk, metadata service, security groups, user data.
//! Instance types and AMI belong to the node group.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html>

use aws_sdk_ec2::{
    Client,
    types::{
        LaunchTemplateBlockDeviceMapping, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
        LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataOptionsRequest,
        LaunchTemplateTagSpecificationRequest, LaunchTemplateVersion, LaunchTemplatesMonitoringRequest,
        RequestLaunchTemplateData, ResourceType, ResponseLaunchTemplateData, VolumeType,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde::{Deserialize, Serialize};

pub use super::launch_template_capacity::Reservation;
use super::{
    Clients, KeyArn, LaunchTemplateId, SecurityGroupId, Tags, all_tags, call, discovered,
    ec2::{from_tags, of_stack, retag, specification, to_tags},
    found, gone_is_ok, launch_template_capacity as capacity, marks, ownership, unexpected, users_tags, vanished,
};

/// The root volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// E.g. `/dev/xvda`.
    pub device_name: String,
    /// GiB.
    pub size_gb: u32,
    /// `gp3`, ...
    pub volume_type: String,
    /// Encrypted, with AWS's key for EBS unless one is given.
    pub encrypted: bool,
    /// The key.
    pub kms_key_arn: Option<KeyArn>,
    /// IOPS; `None` for the type's default.
    pub iops: Option<u32>,
    /// MiB/s; `None` for the type's default.
    pub throughput: Option<u32>,
}

/// The instance metadata service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// `required` is IMDSv2.
    pub http_tokens: String,
    /// 1 keeps pods from it.
    pub hop_limit: i32,
}

inputs! {
    /// A launch template.
    pub struct LaunchTemplateInputs, LaunchTemplateArgs {
        /// The beginning of its name; a short hash is added, 128 characters in all.
        pub name_prefix: String,
        /// The root volume; on Bottlerocket the data volume, which has images and pods.
        pub disk: Disk,
        /// Bottlerocket's own volume, beside the other one.
        pub system_disk: Option<Disk>,
        /// The instance metadata service.
        pub metadata: Metadata,
        /// The instances' groups. Empty: EKS puts the cluster's group there.
        pub security_group_ids: Vec<SecurityGroupId>,
        /// MIME multipart for managed node groups; EKS merges the join configuration.
        pub user_data: Option<String>,
        /// Detailed monitoring, one minute.
        pub monitoring: bool,
        /// Tags of instances, volumes and interfaces.
        pub instance_tags: Tags,
        /// Tags of the template.
        pub tags: Tags,
        /// An image of one's own: the group's AMI type is `CUSTOM` then.
        pub image_id: Option<String>,
        /// The type, where it must stand here and not with the group: Capacity Blocks.
        pub instance_type: Option<String>,
        /// `capacity-block`; `None` for On-Demand and Spot, which belong to the group.
        pub market_type: Option<String>,
        /// Reserved capacity.
        pub reservation: Option<Reservation>,
        /// How many network cards have an Elastic Fabric Adapter; `None`: EC2 makes one
        /// ordinary interface.
        pub efa_cards: Option<u32>,
    }
}

outputs! {
    /// A launch template.
    pub struct LaunchTemplateOutputs, LaunchTemplateRefs {
        /// Its id.
        pub id: LaunchTemplateId,
        /// Its name.
        pub name: String,
        /// The number of its newest version. A number, never `$Latest`: a node group
        /// resolves that once and would not follow.
        pub latest_version: String,
    }
}

/// The kind.
pub struct LaunchTemplate {
    ec2: Client,
}

const INSTANCE_THINGS: [ResourceType; 3] =
    [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];

fn mapping(disk: &Disk) -> LaunchTemplateBlockDeviceMappingRequest {
    let positive = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(i32::try_from(disk.size_gb).unwrap_or(i32::MAX))
        .volume_type(VolumeType::from(disk.volume_type.as_str()))
        .encrypted(disk.encrypted)
        .set_kms_key_id(disk.kms_key_arn.as_ref().map(ToString::to_string))
        .set_iops(positive(disk.iops))
        .set_throughput(positive(disk.throughput))
        .delete_on_termination(true)
        .build();
    LaunchTemplateBlockDeviceMappingRequest::builder().device_name(&disk.device_name).ebs(ebs).build()
}

fn request(inputs: &LaunchTemplateInputs) -> RequestLaunchTemplateData {
    let disks = [Some(&inputs.disk), inputs.system_disk.as_ref()].into_iter().flatten();
    let data = RequestLaunchTemplateData::builder()
        .set_block_device_mappings(Some(disks.map(mapping).collect()))
        .metadata_options(
            LaunchTemplateInstanceMetadataOptionsRequest::builder()
                .http_tokens(LaunchTemplateHttpTokensState::from(inputs.metadata.http_tokens.as_str()))
                .http_put_response_hop_limit(inputs.metadata.hop_limit)
                .build(),
        )
        .monitoring(LaunchTemplatesMonitoringRequest::builder().enabled(inputs.monitoring).build())
        .set_user_data(inputs.user_data.as_ref().map(|text| BASE64.encode(text)));
    let mut data = capacity::request(data, inputs);
    for kind in INSTANCE_THINGS.into_iter().filter(|_| !inputs.instance_tags.is_empty()) {
        let tags = to_tags(&inputs.instance_tags);
        data = data.tag_specifications(
            LaunchTemplateTagSpecificationRequest::builder().resource_type(kind).set_tags(Some(tags)).build(),
        );
    }
    data.build()
}

fn disk(mapping: &LaunchTemplateBlockDeviceMapping) -> Disk {
    let ebs = mapping.ebs();
    let size = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    Disk {
        device_name: mapping.device_name().unwrap_or_default().to_owned(),
        size_gb: size(ebs.and_then(|ebs| ebs.volume_size())).unwrap_or_default(),
        volume_type: ebs.and_then(|ebs| ebs.volume_type()).map_or("", |kind| kind.as_str()).to_owned(),
        encrypted: ebs.and_then(|ebs| ebs.encrypted()).unwrap_or_default(),
        kms_key_arn: ebs.and_then(|ebs| ebs.kms_key_id()).map(KeyArn::from),
        iops: size(ebs.and_then(|ebs| ebs.iops())),
        throughput: size(ebs.and_then(|ebs| ebs.throughput())),
    }
}

/// The fields that we own, as the newest version has them.
fn observed(data: &ResponseLaunchTemplateData, prior: &LaunchTemplateInputs) -> LaunchTemplateInputs {
    let mappings = data.block_device_mappings();
    let mut groups = capacity::groups(data);
    if same_members(&groups, &prior.security_group_ids) {
        groups.clone_from(&prior.security_group_ids);
    }
    let user_data = data.user_data().filter(|text| !text.is_empty()).map(|text| {
        let decoded = BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.unwrap_or_else(|| text.to_owned())
    });
    let metadata = data.metadata_options();
    LaunchTemplateInputs {
        name_prefix: prior.name_prefix.clone(),
        disk: mappings.first().map(disk).unwrap_or_default(),
        system_disk: mappings.get(1).map(disk),
        metadata: Metadata {
            http_tokens: metadata.and_then(|m| m.http_tokens()).map_or("", |tokens| tokens.as_str()).to_owned(),
            hop_limit: metadata.and_then(|m| m.http_put_response_hop_limit()).unwrap_or_default(),
        },
        security_group_ids: groups,
        user_data,
        monitoring: data.monitoring().and_then(|m| m.enabled()).unwrap_or_default(),
        instance_tags: data
            .tag_specifications()
            .iter()
            .find(|spec| spec.resource_type() == Some(&ResourceType::Instance))
            .map(|spec| users_tags(&from_tags(spec.tags())))
            .unwrap_or_default(),
        tags: prior.tags.clone(),
        image_id: data.image_id().map(str::to_owned),
        instance_type: data.instance_type().map(|kind| kind.as_str().to_owned()),
        market_type: data
            .instance_market_options()
            .and_then(|options| options.market_type())
            .map(|kind| kind.as_str().to_owned()),
        reservation: capacity::reservation(data),
        efa_cards: capacity::efa_cards(data),
    }
}

/// True if two lists have the same members, in whatever order.
pub(super) fn same_members<T: Ord>(a: &[T], b: &[T]) -> bool {
    let sorted = |list: &[T]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by(|x, y| list[*x].cmp(&list[*y]));
        order
    };
    a.len() == b.len() && sorted(a).into_iter().zip(sorted(b)).all(|(x, y)| a[x] == b[y])
}

impl LaunchTemplate {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn latest(&self, ctx: &Ctx, id: &str) -> Result<Option<LaunchTemplateVersion>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeLaunchTemplateVersions", Repeat::Safe, || {
            self.ec2.describe_launch_template_versions().launch_template_id(id).versions("$Latest").send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.launch_template_versions().first().cloned()))
    }

    async fn template(
        &self,
        ctx: &Ctx,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<aws_sdk_ec2::types::LaunchTemplate>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeLaunchTemplates", Repeat::Safe, || {
            let request = self.ec2.describe_launch_templates();
            let request = match (id, name) {
                (Some(id), _) => request.launch_template_ids(id),
                (None, name) => request.set_launch_template_names(name.map(|name| vec![name.to_owned()])),
            };
            request.send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.launch_templates().first().cloned()))
    }
}

fn outputs_of(template: &aws_sdk_ec2::types::LaunchTemplate) -> LaunchTemplateOutputs {
    LaunchTemplateOutputs {
        id: template.launch_template_id().unwrap_or_default().into(),
        name: template.launch_template_name().unwrap_or_default().to_owned(),
        latest_version: template.latest_version_number().unwrap_or_default().to_string(),
    }
}

impl Provider for LaunchTemplate {
    type Inputs = LaunchTemplateInputs;
    type Outputs = LaunchTemplateOutputs;

    const TYPE: &'static str = "aws:ec2:LaunchTemplate";
    const REPLACE_ON: &'static [&'static str] = &["name_prefix"];
    const CHANGES_ON_UPDATE: &'static [&'static str] = &["latest_version"];

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &LaunchTemplateInputs,
    ) -> Result<Created<LaunchTemplateOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let template = self.template(ctx, Some(id), None).await?.ok_or_else(|| vanished(id))?;
            retag(ctx, &self.ec2, id, &from_tags(template.tags()), &wanted).await?;
            return Ok(Created { id: id.to_owned(), outputs: outputs_of(&template) });
        }
        let name = ctx.unique_name(&inputs.name_prefix, 128);
        let (data, token) = (request(inputs), ctx.token("CreateLaunchTemplate"));
        let answer = call(ctx, "ec2", "CreateLaunchTemplate", Repeat::Safe, || {
            self.ec2
                .create_launch_template()
                .launch_template_name(&name)
                .launch_template_data(data.clone())
                .tag_specifications(specification(ResourceType::LaunchTemplate, &wanted))
                .client_token(&token)
                .send()
        })
        .await?;
        let template = answer.launch_template.ok_or_else(|| unexpected("CreateLaunchTemplate", "template"))?;
        let outputs = outputs_of(&template);
        ctx.progress(outputs.id.as_str());
        Ok(Created { id: outputs.id.to_string(), outputs })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<LaunchTemplateInputs, LaunchTemplateOutputs>,
    ) -> Reading<LaunchTemplateInputs, LaunchTemplateOutputs> {
        let Some(template) = self.template(ctx, Some(&current.id), None).await? else { return Ok(None) };
        let Some(version) = self.latest(ctx, &current.id).await? else { return Ok(None) };
        let data =
            version.launch_template_data().ok_or_else(|| unexpected("DescribeLaunchTemplateVersions", "data"))?;
        let inputs =
            LaunchTemplateInputs { tags: users_tags(&from_tags(template.tags())), ..observed(data, &current.inputs) };
        Ok(Some(Observed { inputs, outputs: outputs_of(&template) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<LaunchTemplateInputs, LaunchTemplateOutputs>,
        to: &LaunchTemplateInputs,
    ) -> Result<LaunchTemplateOutputs, ProviderError> {
        let from = &current.inputs;
        if from.tags != to.tags {
            retag(ctx, &self.ec2, &current.id, &from.tags, &to.tags).await?;
        }
        let (mut outputs, data) = (current.outputs.clone(), request(to));
        if request(from) != data {
            // One token for one step from one version: repeated it gives the same version.
            let token = ctx.token(&format!("version after {} of {data:?}", outputs.latest_version));
            let answer = call(ctx, "ec2", "CreateLaunchTemplateVersion", Repeat::Safe, || {
                let request = self.ec2.create_launch_template_version().launch_template_id(&current.id);
                request.launch_template_data(data.clone()).client_token(&token).send()
            })
            .await?;
            let number = answer.launch_template_version().and_then(|version| version.version_number());
            let number = number.ok_or_else(|| unexpected("CreateLaunchTemplateVersion", "version number"))?;
            outputs.latest_version = number.to_string();
        }
        Ok(outputs)
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<LaunchTemplateInputs, LaunchTemplateOutputs>,
    ) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "ec2", "DeleteLaunchTemplate", Repeat::Safe, || {
                self.ec2.delete_launch_template().launch_template_id(&current.id).send()
            })
            .await,
        )
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<LaunchTemplateInputs, LaunchTemplateOutputs>,
    ) -> Result<Marks, ProviderError> {
        let template = self.template(ctx, Some(&current.id), None).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(template.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &LaunchTemplateInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 128);
        Ok(match self.template(ctx, None, Some(&name)).await? {
            Some(template) => {
                let id = template.launch_template_id().unwrap_or_default();
                ownership(ctx, &from_tags(template.tags())).recovered(id)
            }
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let answer = call(ctx, "ec2", "DescribeLaunchTemplates", Repeat::Safe, || {
            self.ec2.describe_launch_templates().filters(of_stack(ctx)).max_results(200).send()
        })
        .await?;
        let templates = answer.launch_templates().iter();
        let found = templates.filter_map(|template| {
            discovered(ctx, Self::TYPE, template.launch_template_id()?, &from_tags(template.tags()))
        });
        Ok(Some(found.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_but_count_does() {
        assert!(same_members(&[2, 1], &[1, 2]));
        assert!(!same_members(&[1, 1, 2], &[1, 2, 2]));
        assert!(!same_members(&[1], &[1, 1]));
    }
}
