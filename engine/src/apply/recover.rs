//! After a crash: look, never guess. And reading what stands, before planning.

use std::{pin::pin, sync::Arc};

use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use crate::{
    apply::{
        Session,
        step::{read_settled, settle},
    },
    context::Ctx,
    error::{Error, Leftover, ProviderError},
    event::Event,
    journal::Record,
    plan::{Plan, Reason, Step, StepId},
    provider::{Action, Current, DynProvider, Observed, Recovered},
    store::{Object, Phase},
    unread::Unread,
    value::Expr,
};

impl Session {
    /// Clears up what an interrupted run left without an outcome. Gives the plan of
    /// creations to be taken up; empty if there are none.
    pub(crate) async fn recover(&mut self) -> Result<Plan, Error> {
        let pending: Vec<Object> = self.checkpoint.objects.values().filter(|o| o.phase.pending()).cloned().collect();
        let looks: Vec<_> = pending.iter().filter(|o| o.phase == Phase::Creating).map(|o| self.look(o)).collect();
        let mut found = self.gather(looks).await?;
        found.sort_by_key(|(object, _)| object.key());
        for object in pending.iter().filter(|object| object.phase != Phase::Creating) {
            self.reopen(object);
        }
        let mut plan = Plan::default();
        for (object, recovered) in found {
            let recovered = recovered.map_err(|source| Error::Recovery { urn: object.urn.clone(), source })?;
            if self.found(&object, recovered) {
                let step = self.take_up(&object, plan.steps.len());
                plan.steps.push(step);
            }
        }
        self.commit().await?;
        Ok(plan)
    }

    /// Looks for the object of a begun creation.
    fn look(&self, object: &Object) -> impl Future<Output = (Object, Result<Recovered, ProviderError>)> + use<> {
        let provider = self.registry.get(object.urn.kind()).cloned();
        let ctx = self.ctx(&object.urn, object.generation, object.nonce.clone(), object.id.clone(), Action::Create);
        let object = object.clone();
        async move {
            let result = match provider {
                Some(provider) if object.data => {
                    drop(provider);
                    Ok(Recovered::Absent)
                }
                // The whole window, from now on: when the last call was made, nobody knows.
                Some(provider) => settle(&*provider, &ctx, &object.inputs).await,
                None => Err(unknown_kind(&object)),
            };
            (object, result)
        }
    }

    /// Books what was found. True if the creation is to be taken up.
    fn found(&mut self, object: &Object, recovered: Recovered) -> bool {
        let key = object.key();
        let (message, take_up) = match recovered {
            Recovered::Mine(id) => {
                let message = format!("its creation was interrupted; {id} was found and is taken up");
                if object.id.as_ref() != Some(&id) {
                    self.stage(Record::Progress { key, id });
                }
                (message, true)
            }
            Recovered::OfThisStack(id) => {
                let message = format!("its creation was interrupted; {id} of this platform was found and is adopted");
                self.adopted.insert(key.clone());
                self.stage(Record::Progress { key, id });
                (message, true)
            }
            Recovered::Absent => {
                let error = "interrupted; it is not in the account".to_owned();
                self.stage(Record::Failed { key, leftover: Leftover::None, error });
                ("its creation was interrupted before it took effect".to_owned(), false)
            }
            Recovered::Foreign(what) => {
                let error = format!("interrupted; {what} is somebody else's");
                self.stage(Record::Failed { key, leftover: Leftover::None, error });
                (format!("its creation was interrupted; {what} is somebody else's and was not touched"), false)
            }
        };
        if !object.data {
            self.event(Event::Recovered { urn: object.urn.clone(), message });
        }
        take_up
    }

    /// An interrupted update or deletion: the object still counts as standing; the read
    /// that follows shows how it really is.
    fn reopen(&mut self, object: &Object) {
        let what = if matches!(object.phase, Phase::Deleting { .. }) { "deletion" } else { "update" };
        let leftover = object.id.clone().map_or(Leftover::Unknown, Leftover::Known);
        self.stage(Record::Failed { key: object.key(), leftover, error: "interrupted".to_owned() });
        self.event(Event::Recovered {
            urn: object.urn.clone(),
            message: format!("its {what} was interrupted; it is read again"),
        });
    }

    fn take_up(&self, object: &Object, index: usize) -> Step {
        let provider = self.registry.get(object.urn.kind());
        let expected = provider.map_or_else(Default::default, |p| p.expected(Action::Create));
        Step {
            id: StepId(u32::try_from(index).unwrap_or(u32::MAX)),
            urn: object.urn.clone(),
            generation: object.generation,
            action: Action::Create,
            reason: Reason::Interrupted,
            inputs: Some(Expr::Value(object.inputs.clone())),
            planned: None,
            depends_on: object.depends_on.clone(),
            replace_order: object.replace_order,
            pair: None,
            changes: Vec::new(),
            expected_ms: u64::try_from(expected.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Reads every object that stands, and books what differs from the state.
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        match self.read_open().await?.into_iter().next() {
            None => Ok(()),
            Some(unread) => Err(unread.into()),
        }
    }

    /// The same; gives what we are locked out of, which [`Session::pass_over`] judges once there is
    /// a plan.
    pub(crate) async fn read_open(&mut self) -> Result<Vec<Unread>, Error> {
        let reads: Vec<_> = self
            .checkpoint
            .objects
            .values()
            // What is broken is not compared with anything: it only waits to be deleted.
            .filter(|object| object.phase == Phase::Live)
            .map(|object| self.read(object))
            .collect();
        let mut readings = self.gather(reads).await?;
        readings.sort_by_key(|(object, _)| object.key());
        let mut unread = Vec::new();
        for (object, reading) in readings {
            match reading {
                Err(error) if self.locked_out(&object, &error) => unread.push(Unread { urn: object.urn, error }),
                Err(source) => return Err(Error::Read { urn: object.urn, source }),
                Ok(None) => self.stage(Record::Gone { key: object.key() }),
                Ok(Some(Observed { inputs, outputs })) => {
                    if inputs != object.inputs || outputs != object.outputs {
                        self.stage(Record::Observed { key: object.key(), inputs, outputs });
                    }
                }
            }
        }
        self.commit().await?;
        Ok(unread)
    }

    /// Runs reads side by side. Nothing is lost by stopping them: the first Ctrl-C ends the run.
    pub(crate) async fn gather<T>(&mut self, reads: Vec<impl Future<Output = T>>) -> Result<Vec<T>, Error> {
        let mut level = self.interrupt.level.subscribe();
        let mut results = pin!(stream::iter(reads).buffer_unordered(self.options.parallelism.max(1)));
        let mut gathered = Vec::new();
        loop {
            tokio::select! {
                biased;
                result = results.next() => match result {
                    Some(result) => gathered.push(result),
                    None => return Ok(gathered),
                },
                Ok(_) = level.wait_for(|level| *level > 0) => {
                    return Err(Error::Interrupted("the account was being read; nothing was changed".to_owned()));
                }
                // Reports of reads interest nobody.
                Some(_) = self.notes.recv() => {}
            }
        }
    }

    fn read(&self, object: &Object) -> impl Future<Output = Look> + use<> {
        let provider: Option<Arc<dyn DynProvider>> = self.registry.get(object.urn.kind()).cloned();
        let ctx: Ctx = self.ctx(&object.urn, object.generation, object.nonce.clone(), None, Action::Read);
        let object = object.clone();
        async move {
            let current = Current {
                id: object.id.clone().unwrap_or_default(),
                inputs: object.inputs.clone(),
                outputs: object.outputs.clone(),
            };
            let result = match provider {
                Some(provider) => read_settled(&*provider, &ctx, &current).await,
                None => Err(unknown_kind(&object)),
            };
            (object, result)
        }
    }
}

type Look = (Object, Result<Option<Observed<Value, Value>>, ProviderError>);

fn unknown_kind(object: &Object) -> ProviderError {
    ProviderError::new(
        crate::error::ErrorClass::Invalid,
        format!("the state holds {}, but no provider is registered for its kind", object.urn),
    )
    .hint("Use the program that made it, or register the kind.")
}
