//! What a platform costs, before a change and after it.

use rayplat_engine::{stack::Stack, store::Checkpoint};
use rayplat_resources::{
    aws::price_list,
    platform::cost::{self, Comparison, Item, Prices},
};
use serde_json::{Value, json};

use crate::{
    exit::Failure,
    setup::{self, World},
};

/// What a stack wants, as far as it bears on cost.
pub fn wanted(stack: &Stack) -> Result<Vec<Item>, Failure> {
    cost::wanted(stack).map_err(|error| Failure::Usage {
        message: format!("the cost of the platform cannot be reckoned: {error}"),
        hint: "This is a bug: the manifest passed its checks.".to_owned(),
    })
}

/// Compares what stands with what is wanted. Prices are asked of AWS once; a rehearsal has
/// those of the program.
pub async fn compare(world: &World, before: &Checkpoint, after: &Stack) -> Result<Comparison, Failure> {
    let today = setup::today()?;
    let (before, after) = (cost::standing(before), wanted(after)?);
    let prices = if world.rehearsal.is_some() {
        Prices::table(&world.setting.region)
    } else {
        let mut needed = cost::needs(&before, today);
        needed.extend(cost::needs(&after, today));
        price_list::prices(&world.clients, &needed).await
    };
    Ok(Comparison::of(&before, &after, prices, today))
}

/// The output `estimated_monthly_cost`: from the program's prices, without an account.
pub fn output(stack: &Stack, region: &str) -> Result<Value, Failure> {
    let estimate = Comparison::of(&[], &wanted(stack)?, Prices::table(region), setup::today()?);
    let sum = estimate.after.sum(None);
    Ok(json!({
        "text": estimate.sentence(),
        "currency": "USD",
        "now": sum.now,
        "at_most": sum.at_most,
        "unknown": sum.unknown,
    }))
}
