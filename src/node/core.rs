//! The common part of the three shells: a run, from `start` to its last notice, and the transfer
//! of notices to JavaScript.

use super::batch_writer::BatchWriter;
use super::blobs::{self, Blob, Value};
use super::crossing::Kind;
use super::environment;
use super::exit::Exit;
use super::wake::{Call, Wake};
use crate::io::{Address, CommandSink, Error as IoError, NoticeQueue, Slots, Taken};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

/// One run, which takes commands and reports notices.
struct Run<S, N> {
    commands: Option<Rc<S>>,
    queue: Arc<NoticeQueue<N>>,
    wake: Wake,
    /// Ends the driver with the environment.
    _exit: Option<Rc<Exit>>,
}

/// The native half of a peer or broker, with at most one run at a time.
pub(super) struct Core<S, N> {
    /// The number of runs, which distinguishes late notices of an earlier one.
    generation: u64,
    run: Option<Run<S, N>>,
    /// Whether it keeps the event loop alive, in this run and the next ones.
    keeps_alive: bool,
    /// Whether JavaScript strings may refer to received bytes.
    keeps: bool,
    /// The slots in which JavaScript takes shown offers.
    slots: Arc<Slots>,
    /// Reused for each batch.
    notices: Vec<N>,
    /// The blobs of the last drained batch.
    blobs: Vec<Blob>,
}

impl<S: CommandSink, N> Core<S, N> {
    pub(super) fn new() -> Self {
        Core {
            generation: 0,
            run: None,
            keeps_alive: false,
            keeps: false,
            slots: Arc::default(),
            notices: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// Makes a core whose received bytes JavaScript may keep, depending on the endpoints. Over
    /// inproc a frame belongs to its sender, and the broker counts it until it is released.
    pub(super) fn receiving_from(endpoints: &[Address]) -> Self {
        let mut core = Core::new();
        core.receive_from(endpoints);
        core
    }

    /// Sets the endpoints from which it receives.
    pub(super) fn receive_from(&mut self, endpoints: &[Address]) {
        let inproc = endpoints.iter().any(Address::is_inproc);
        // Frames of earlier endpoints may still be under way.
        self.keeps = !inproc && (self.keeps || self.run.is_none());
    }

    /// The identity in the next run. Two runs with one identity could meet at the broker, so a
    /// generated name is extended for each run.
    pub(super) fn identity(&self, name: &str, generated: bool) -> String {
        match self.generation {
            runs @ 1.. if generated => format!("{name}.{runs}"),
            _ => name.into(),
        }
    }

    /// Starts a run with the driver that `launch` makes. If that fails, the run ends with the
    /// notice that `failed` makes. `call` calls `wake` whenever there are notices.
    pub(super) fn start(
        &mut self,
        env: &Env,
        (wake, call): (&Function<'_, (), ()>, &Call<'_>),
        launch: impl FnOnce(Arc<NoticeQueue<N>>) -> std::result::Result<S, IoError>,
        failed: impl FnOnce(IoError) -> N,
    ) -> Result<()>
    where
        S: 'static,
    {
        let wake = Wake::new(environment::wakes(env, call)?, wake)?;
        let queue = Arc::new(NoticeQueue::with_slots(wake.waker(), self.slots.clone()));
        wake.keep_alive(self.keeps_alive)?;
        self.generation += 1;
        let commands = launch(queue.clone())
            .map_err(|error| queue.push(failed(error)))
            .ok()
            .map(Rc::new);
        let exit = commands.clone().map(|commands| {
            let exit: Rc<Exit> = Rc::new(move |until| commands.exit(until));
            exit
        });
        if let Some(exit) = &exit {
            environment::register(env, S::OF_BROKER, exit)?;
        }
        self.run = Some(Run {
            commands,
            queue,
            wake,
            _exit: exit,
        });
        Ok(())
    }

    /// Sends a command. Returns false if no driver is left.
    pub(super) fn command(&self, command: impl Into<S::Command>) -> bool {
        // Refused once the driver is gone, which its last notice tells.
        (self.commands()).is_some_and(|commands| commands.send(command.into()))
    }

    /// The driver of the present run.
    pub(super) fn commands(&self) -> Option<&S> {
        self.run.as_ref().and_then(|run| run.commands.as_deref())
    }

    /// Whether a run has started and not ended.
    pub(super) fn is_alive(&self) -> bool {
        self.run.is_some()
    }

    /// Fills `into` with the records that `report` makes of the notices, and returns their text.
    /// The run ends after a notice for which `report` returns `Break`.
    pub(super) fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
        report: impl FnMut(&mut BatchWriter<'_>, u64, N) -> ControlFlow<()>,
    ) -> Result<JsString<'env>> {
        let take = |queue: &NoticeQueue<N>, max, notices: &mut _| queue.take(max, 0, notices);
        self.fill(env, into, take, report)
    }

    /// Drains as [`drain`](Self::drain) does, with up to `room` offers, followed by up to `ahead`
    /// shown offers, which JavaScript has to take through their slots.
    pub(super) fn drain_and_show<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
        (room, ahead): (usize, usize),
        report: impl FnMut(&mut BatchWriter<'_>, u64, N) -> ControlFlow<()>,
    ) -> Result<JsString<'env>>
    where
        N: Clone,
    {
        let take = |queue: &NoticeQueue<N>, max, notices: &mut _| {
            queue.take_and_show(max, room, ahead, notices)
        };
        self.fill(env, into, take, report)
    }

    fn fill<'env>(
        &mut self,
        env: &'env Env,
        mut into: Float64ArraySlice<'env>,
        take: impl FnOnce(&NoticeQueue<N>, usize, &mut Vec<N>) -> Taken,
        mut report: impl FnMut(&mut BatchWriter<'_>, u64, N) -> ControlFlow<()>,
    ) -> Result<JsString<'env>> {
        // SAFETY: JavaScript does not run during the call, so nothing else uses the array.
        let mut batch = BatchWriter::new(unsafe { into.as_mut() });
        let mut taken = Taken::default();
        if let Some(run) = &self.run {
            taken = take(&run.queue, batch.capacity(), &mut self.notices);
        }
        let mut certain = self.notices.len() - taken.shown;
        for notice in self.notices.drain(..) {
            batch.shows = certain == 0;
            certain = certain.saturating_sub(1);
            if report(&mut batch, self.generation, notice).is_break() {
                self.run = None;
            }
        }
        let taken = self.run.as_ref().map_or(Taken::default(), |_| taken);
        let (text, blobs) = batch.finish(env, taken)?;
        self.blobs = blobs;
        Ok(text)
    }

    pub(super) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    pub(super) fn take_blobs<'env>(&mut self, env: &'env Env) -> Vec<Option<Value<'env>>> {
        blobs::values(env, &mut self.blobs, self.keeps)
    }

    pub(super) fn keep_alive(&mut self, keep: bool) -> Result<()> {
        self.keeps_alive = keep;
        match &self.run {
            Some(run) => run.wake.keep_alive(keep),
            None => Ok(()),
        }
    }
}

/// The records for the ends of a run, common to all roles.
pub(super) fn start_failed(
    batch: &mut BatchWriter<'_>,
    generation: u64,
    error: &IoError,
) -> ControlFlow<()> {
    batch.words(Kind::StartFailed, generation, error.code, &error.message);
    ControlFlow::Break(())
}

/// As above.
pub(super) fn stopped(batch: &mut BatchWriter<'_>, generation: u64) -> ControlFlow<()> {
    batch.number(Kind::Stopped, generation, 0.0);
    ControlFlow::Break(())
}
