//! `rayplat down`

use rayplat_resources::kubernetes::sweep::Volumes;
use rayplat_state::SledStore;

use crate::{
    args::{DownArgs, Global},
    commands::up::{self, Deed},
    exit::{Ending, Failure},
    reach,
    report::{out, tree},
    setup::{self, Access},
    store,
};

pub async fn run(global: &Global, args: &DownArgs) -> Result<Ending, Failure> {
    up::check_terminal(global)?;
    let folder = setup::state_folder(global);
    if store::s3_address(global).is_none() && !SledStore::exists(&folder) && !global.json {
        out(&format!("note: there is no state in {}: nothing is known that could be destroyed", folder.display()));
    }
    let mut world = setup::open(global, Access::Look, "down").await?;
    if args.purge_backups {
        world.engine = world.engine.purging();
    }
    match (args.keep_volumes, args.delete_volumes) {
        (true, _) => world.engine = Volumes::Keep.decided(world.engine),
        (_, true) => world.engine = Volumes::Delete.decided(world.engine),
        (false, false) => {}
    }
    if reach::anything_inside(&world)
        && let Some(obstacle) = reach::obstacle(&world).await?
    {
        return Err(obstacle.into());
    }
    if !global.json {
        out(&tree::heading(&world));
    }
    up::apply(global, &world, Deed::Down, None).await
}
