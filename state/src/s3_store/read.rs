//! Reading checkpoint and journal as they stood at one moment.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use rayplat_engine::{
    journal,
    objects::{ETag, ObjectStore},
    store::{StoreError, Stored},
};

use super::{
    records::{CHECKPOINT, CheckpointRecord, JOURNAL, Segment, damaged, decode, segment_index, segment_key},
    write::store_error,
};

/// So many segments are read at once.
const AT_ONCE: usize = 8;
/// So often the checkpoint may move on while it is read: it moves once a run.
const TRIES: u32 = 5;

/// What the store holds.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// The checkpoint's record and its ETag; `None` before the first run.
    pub checkpoint: Option<(CheckpointRecord, ETag)>,
    /// The segments after it.
    pub segments: Vec<Segment>,
}

impl Snapshot {
    /// The last segment there is, or that there was.
    pub fn last(&self) -> u64 {
        let covers = self.checkpoint.as_ref().map_or(0, |(record, _)| record.covers);
        self.segments.last().map_or(covers, |segment| segment.index)
    }

    pub fn stored(&self) -> Stored {
        Stored {
            checkpoint: self.checkpoint.as_ref().map(|(record, _)| record.checkpoint.clone()).unwrap_or_default(),
            journal: self.segments.iter().flat_map(|segment| segment.entries.clone()).collect(),
        }
    }
}

async fn checkpoint(objects: &dyn ObjectStore) -> Result<Option<(CheckpointRecord, ETag)>, StoreError> {
    let found = objects.get(CHECKPOINT).await.map_err(|error| store_error(objects, error))?;
    let Some(found) = found else { return Ok(None) };
    Ok(Some((decode(&objects.place(), CHECKPOINT, &found.body)?, found.etag)))
}

/// Reads everything. Segments are only added, until a checkpoint covers them: so what was read
/// between two looks at the same checkpoint stood together.
pub(super) async fn snapshot(objects: &dyn ObjectStore) -> Result<Snapshot, StoreError> {
    for _ in 0..TRIES {
        let before = checkpoint(objects).await?;
        let covers = before.as_ref().map_or(0, |(record, _)| record.covers);
        let keys = objects.list(JOURNAL).await.map_err(|error| store_error(objects, error))?;
        let mut indexes = Vec::new();
        for key in keys {
            let strange = || damaged(&objects.place(), format!("the object {key} is no journal segment"));
            indexes.push(segment_index(&key).ok_or_else(strange)?);
        }
        indexes.retain(|index| *index > covers);
        let reads = stream::iter(indexes.into_iter().map(|index| segment(objects, index)));
        let segments: Vec<Option<Segment>> = reads.buffered(AT_ONCE).try_collect().await?;
        let after = checkpoint(objects).await?;
        let same = before.as_ref().map(|(_, etag)| etag) == after.as_ref().map(|(_, etag)| etag);
        let whole: Option<Vec<Segment>> = segments.into_iter().collect();
        if let (true, Some(segments)) = (same, whole) {
            let snapshot = Snapshot { checkpoint: before, segments };
            check(objects, &snapshot)?;
            return Ok(snapshot);
        }
    }
    Err(StoreError::Remote {
        place: objects.place(),
        reason: "it changes while it is read, again and again".to_owned(),
        hint: "Another run is at work: wait until it has ended.".to_owned(),
    })
}

/// `None`: it was deleted in between, because a checkpoint covers it now.
async fn segment(objects: &dyn ObjectStore, index: u64) -> Result<Option<Segment>, StoreError> {
    let key = segment_key(index);
    let found = objects.get(&key).await.map_err(|error| store_error(objects, error))?;
    let Some(found) = found else { return Ok(None) };
    let segment: Segment = decode(&objects.place(), &key, &found.body)?;
    if segment.index != index {
        return Err(damaged(&objects.place(), format!("the object {key} holds segment {}", segment.index)));
    }
    Ok(Some(segment))
}

/// No gap, no step back, and a legal history.
fn check(objects: &dyn ObjectStore, snapshot: &Snapshot) -> Result<(), StoreError> {
    let place = objects.place();
    if snapshot.checkpoint.is_none() && !snapshot.segments.is_empty() {
        return Err(damaged(&place, "there are journal segments, but the checkpoint is gone"));
    }
    let (mut last, mut token) = snapshot.checkpoint.as_ref().map_or((0, 0), |(record, _)| (record.covers, 0));
    for segment in &snapshot.segments {
        if segment.index != last + 1 {
            let gap = format!("the journal jumps from segment {last} to {}", segment.index);
            return Err(damaged(&place, readable(&gap, snapshot)));
        }
        if segment.token < token {
            let back = format!("segment {} was written by an older holder than the one before it", segment.index);
            return Err(damaged(&place, readable(&back, snapshot)));
        }
        (last, token) = (segment.index, segment.token);
    }
    let stored = snapshot.stored();
    for pair in stored.journal.windows(2) {
        let (one, next) = (&pair[0], &pair[1]);
        if one.run == next.run && next.seq != one.seq + 1 {
            let gap = format!("run {}: the journal jumps from entry {} to {}", next.run, one.seq, next.seq);
            return Err(damaged(&place, readable(&gap, snapshot)));
        }
    }
    journal::fold(&stored).map(drop).map_err(|error| damaged(&place, readable(&error.to_string(), snapshot)))
}

/// Says what is still readable; more would not fit a screen.
const SHOWN: usize = 20;

pub(super) fn readable(reason: &str, snapshot: &Snapshot) -> String {
    let objects = snapshot.checkpoint.iter().flat_map(|(record, _)| record.checkpoint.objects.values());
    let mut names: Vec<String> =
        objects.map(|object| format!("{} ({})", object.key(), object.id.as_deref().unwrap_or("no id yet"))).collect();
    let count = names.len();
    names.truncate(SHOWN);
    let more = if count > SHOWN { ", ..." } else { "" };
    let list = if count == 0 { String::new() } else { format!(": {}{more}", names.join(", ")) };
    format!("{reason}; {count} objects of the last checkpoint are still readable{list}")
}
