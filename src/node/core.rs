//! What the three shells share: a life from `start` to its last notice, and the way its notices
//! take to JavaScript.

use super::batch_writer::{self, BatchWriter, Blob, Value};
use super::crossing::Kind;
use super::wake::Wake;
use crate::io::{Address, Claims, Error as IoError, NoticeQueue, Taken};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// One life: it can be given commands, and it gives notices.
struct Life<C, N> {
    commands: Option<UnboundedSender<C>>,
    queue: Arc<NoticeQueue<N>>,
    wake: Wake,
}

/// A peer's native half; at most one life at a time.
pub(super) struct Core<C, N> {
    /// Counts lives, so that a late notice of an earlier one can be told apart.
    generation: u64,
    life: Option<Life<C, N>>,
    /// Whether the event loop is to be kept alive, in this life and the next.
    hold: bool,
    /// Whether JavaScript may keep what was received where it is.
    keeps: bool,
    /// Where JavaScript claims what it was shown.
    claims: Arc<Claims>,
    /// Reused from batch to batch.
    notices: Vec<N>,
    /// The binary bodies of the batch that was drained last.
    blobs: Vec<Blob>,
}

impl<C, N> Core<C, N> {
    pub(super) fn new() -> Self {
        Core {
            generation: 0,
            life: None,
            hold: false,
            keeps: false,
            claims: Arc::default(),
            notices: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// One whose JavaScript may keep what it receives from these endpoints. Over inproc, frames come as they were sent,
    /// and the broker counts them as long as anybody has them.
    pub(super) fn receiving_from(endpoints: &[String]) -> Self {
        let mut core = Core::new();
        core.receive_from(endpoints);
        core
    }

    /// It receives from these from now on.
    pub(super) fn receive_from(&mut self, endpoints: &[String]) {
        let inproc = endpoints.iter().any(|each| Address::new(each).is_inproc());
        // What came from others may be under way.
        self.keeps = !inproc && (self.keeps || self.life.is_none());
    }

    /// The identity of the life that begins next. Two lives under one identity could meet at the
    /// broker, so a name that nobody chose is made anew for each.
    pub(super) fn identity(&self, name: &str, generated: bool) -> Vec<u8> {
        match self.generation {
            lives @ 1.. if generated => format!("{name}.{lives}").into_bytes(),
            _ => name.into(),
        }
    }

    /// Begins a life with the driver that `launch` makes; one that can't be made ends the life
    /// with the notice that `failed` makes.
    pub(super) fn start(
        &mut self,
        env: &Env,
        wake: &Function<'_, (), ()>,
        launch: impl FnOnce(Arc<NoticeQueue<N>>) -> std::result::Result<UnboundedSender<C>, IoError>,
        failed: impl FnOnce(IoError) -> N,
    ) -> Result<()> {
        let wake = Wake::new(env, wake)?;
        let waker = wake.clone();
        let queue = Arc::new(NoticeQueue::with_claims(
            move || waker.wake(),
            self.claims.clone(),
        ));
        wake.keep_alive(env, self.hold)?;
        self.generation += 1;
        let commands = launch(queue.clone())
            .map_err(|error| queue.push(failed(error)))
            .ok();
        self.life = Some(Life {
            commands,
            queue,
            wake,
        });
        Ok(())
    }

    /// False if there is nobody to carry it out.
    pub(super) fn command(&self, command: impl Into<C>) -> bool {
        let commands = self.life.as_ref().and_then(|life| life.commands.as_ref());
        // Refused once the driver is gone, which its last notice tells.
        commands.is_some_and(|commands| commands.send(command.into()).is_ok())
    }

    /// Whether it has been started and has not come to its end.
    pub(super) fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    /// Fills `into` with the records that `report` makes of the notices, and returns their text.
    /// After a notice of which `report` says `Break` the life is over.
    pub(super) fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
        report: impl FnMut(&mut BatchWriter<'_>, u64, N) -> ControlFlow<()>,
    ) -> Result<JsString<'env>> {
        let take = |queue: &NoticeQueue<N>, max, notices: &mut _| queue.take(max, 0, notices);
        self.fill(env, into, take, report)
    }

    /// The same with offers among them, as long as there is room, and behind them `ahead` more, which JavaScript has
    /// to claim.
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
        // SAFETY: JavaScript lends this array for the call alone, and runs nothing meanwhile.
        let mut batch = BatchWriter::new(unsafe { into.as_mut() });
        let mut taken = Taken::default();
        if let Some(life) = &self.life {
            taken = take(&life.queue, batch.capacity(), &mut self.notices);
        }
        let mut certain = self.notices.len() - taken.shown;
        for notice in self.notices.drain(..) {
            batch.shows = certain == 0;
            certain = certain.saturating_sub(1);
            if report(&mut batch, self.generation, notice).is_break() {
                self.life = None;
            }
        }
        let taken = self.life.as_ref().map_or(Taken::default(), |_| taken);
        let (text, blobs) = batch.finish(env, taken)?;
        self.blobs = blobs;
        Ok(text)
    }

    pub(super) fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    pub(super) fn take_blobs<'env>(&mut self, env: &'env Env) -> Vec<Option<Value<'env>>> {
        batch_writer::values(env, &mut self.blobs, self.keeps)
    }

    pub(super) fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.hold = keep;
        match &self.life {
            Some(life) => life.wake.keep_alive(env, keep),
            None => Ok(()),
        }
    }
}

/// The records that every role has for the ends of a life.
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
