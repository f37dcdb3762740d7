//! Which table a subnet's traffic follows. A subnet has one explicit association at most,
//! so that the subnet's id is this kind's id: the association's own changes with each
//! change of the table. It carries no tags.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html>

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{RouteTableAssociation as Association, RouteTableAssociationStateCode as State},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs,
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    Clients, RouteTableId, SubnetId, call, call_fresh,
    ec2::{UNSEEN, filter},
    gone_is_ok,
};

inputs! {
    /// A subnet's table.
    pub struct RouteTableAssociationInputs, RouteTableAssociationArgs {
        /// The subnet.
        pub subnet_id: SubnetId,
        /// The table, of the same VPC.
        pub route_table_id: RouteTableId,
    }
}

/// The kind.
pub struct RouteTableAssociation {
    ec2: Client,
}

/// True for one that is there, or about to be.
fn stands(association: &Association) -> bool {
    let state = association.association_state().and_then(|state| state.state());
    !matches!(state, Some(State::Disassociated | State::Disassociating | State::Failed))
}

fn leads_to(association: &Association, table: &RouteTableId) -> bool {
    association.route_table_id() == Some(table.as_str())
}

impl RouteTableAssociation {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    /// The subnet's association, if it has one of its own.
    async fn of(&self, ctx: &Ctx, subnet_id: &str) -> Result<Option<Association>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeRouteTables", Repeat::Safe, || {
            self.ec2.describe_route_tables().filters(filter("association.subnet-id", subnet_id)).send()
        })
        .await?;
        let all = answer.route_tables().iter().flat_map(|table| table.associations());
        Ok(all.filter(|it| stands(it)).find(|it| it.subnet_id() == Some(subnet_id)).cloned())
    }
}

impl Provider for RouteTableAssociation {
    type Inputs = RouteTableAssociationInputs;
    type Outputs = ();

    const TYPE: &'static str = "aws:ec2:RouteTableAssociation";
    const REPLACE_ON: &'static [&'static str] = &["subnet_id"];
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &RouteTableAssociationInputs) -> Result<Created<()>, ProviderError> {
        let created = Created { id: inputs.subnet_id.to_string(), outputs: () };
        if ctx.resume().is_some() {
            return Ok(created);
        }
        // A second one is refused, and looked at then.
        call_fresh(ctx, "ec2", "AssociateRouteTable", Repeat::Once, "", || {
            self.ec2
                .associate_route_table()
                .subnet_id(inputs.subnet_id.as_str())
                .route_table_id(inputs.route_table_id.as_str())
                .send()
        })
        .await?;
        ctx.progress(&created.id);
        Ok(created)
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableAssociationInputs, ()>,
    ) -> Reading<RouteTableAssociationInputs, ()> {
        let Some(association) = self.of(ctx, &current.id).await? else { return Ok(None) };
        Ok(Some(Observed {
            inputs: RouteTableAssociationInputs {
                subnet_id: current.id.as_str().into(),
                route_table_id: association.route_table_id().unwrap_or_default().into(),
            },
            outputs: (),
        }))
    }

    /// Without a moment in which the subnet follows the VPC's main table.
    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableAssociationInputs, ()>,
        to: &RouteTableAssociationInputs,
    ) -> Result<(), ProviderError> {
        let old = self.of(ctx, &current.id).await?;
        let old = old.as_ref().and_then(Association::route_table_association_id).unwrap_or_default();
        let replaced = call(ctx, "ec2", "ReplaceRouteTableAssociation", Repeat::Once, || {
            let request = self.ec2.replace_route_table_association().association_id(old);
            request.route_table_id(to.route_table_id.as_str()).send()
        })
        .await;
        match replaced {
            Ok(_) => Ok(()),
            // The old id is gone once the call took effect: look, and do not send it again.
            Err(error) if matches!(error.class, ErrorClass::Ambiguous | ErrorClass::NotFound) => {
                match self.of(ctx, &current.id).await? {
                    Some(now) if leads_to(&now, &to.route_table_id) => Ok(()),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Only while the subnet follows our table: another one is somebody else's.
    async fn delete(&self, ctx: &Ctx, current: &Current<RouteTableAssociationInputs, ()>) -> Result<(), ProviderError> {
        let Some(association) = self.of(ctx, &current.id).await? else { return Ok(()) };
        if !leads_to(&association, &current.inputs.route_table_id) {
            return Ok(());
        }
        let id = association.route_table_association_id().unwrap_or_default();
        gone_is_ok(
            call(ctx, "ec2", "DisassociateRouteTable", Repeat::Safe, || {
                self.ec2.disassociate_route_table().association_id(id).send()
            })
            .await,
        )
    }

    async fn marks(&self, _: &Ctx, _: &Current<RouteTableAssociationInputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }

    async fn recover(&self, ctx: &Ctx, inputs: &RouteTableAssociationInputs) -> Result<Recovered, ProviderError> {
        let subnet_id = inputs.subnet_id.as_str();
        Ok(match self.of(ctx, subnet_id).await? {
            None => Recovered::Absent,
            Some(found) if leads_to(&found, &inputs.route_table_id) => Recovered::Mine(subnet_id.to_owned()),
            Some(found) => {
                let table = found.route_table_id().unwrap_or_default();
                Recovered::Foreign(format!("an association of {subnet_id} with {table}"))
            }
        })
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(1)
    }
}
