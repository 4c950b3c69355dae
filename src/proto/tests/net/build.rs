//! Functions by which tests set up a network.

use super::transport::Dial;
use super::*;
use crate::proto::broker::BrokerConfig;
use crate::proto::client::ClientConfig;
use crate::proto::link::LinkConfig;
use crate::proto::worker::WorkerConfig;
use crate::wire::Dialect;

/// The interval of 0.0.92, used by all peers.
pub const HEARTBEAT: Duration = Duration::from_millis(2500);

fn link(expect_beats: bool) -> LinkConfig {
    LinkConfig {
        heartbeat: HEARTBEAT,
        liveness: 3,
        soon: ms(100),
        reconnect: ms(100),
        reconnect_max: secs(30),
        away: Duration::ZERO,
        seed: 0,
        expect_hello: false,
        expect_beats,
        name: String::new(),
        max_message: None,
    }
}

impl Net {
    /// Adds a peer that is not started.
    pub fn add<T: Actor>(&mut self, actor: T, dial: Option<Dial>) -> Id<T> {
        let path = std::any::type_name::<T>();
        self.peers.push(Peer {
            kind: path.rsplit("::").next().unwrap_or(path),
            actor: Box::new(actor),
            dial,
            socket: None,
            routes: BTreeMap::new(),
            takes_over: true,
            tag: None,
            alive: false,
            paused: false,
            cut_off: false,
            relayed: false,
            inbox: VecDeque::new(),
        });
        Id(self.peers.len() - 1, PhantomData)
    }

    fn begin<T: Actor>(&mut self, actor: T, dial: Option<Dial>) -> Id<T> {
        let id = self.add(actor, dial);
        self.start(id);
        id
    }

    fn route<B>(&self, broker: Id<B>, identity: &[u8], queues: bool) -> Option<Dial> {
        Some(Dial {
            broker: broker.0,
            identity: identity.to_vec(),
            queues,
        })
    }

    pub fn broker(&mut self) -> Id<BrokerActor> {
        self.broker_with(|_| {})
    }

    pub fn broker_with(&mut self, change: impl FnOnce(&mut BrokerConfig)) -> Id<BrokerActor> {
        let mut config = BrokerConfig {
            heartbeat: HEARTBEAT,
            session: format!("b{}", self.peers.len()),
            reconnect_grace: ms(0),
            search: ms(0),
            seed: 1,
            ..BrokerConfig::default()
        };
        change(&mut config);
        self.begin(BrokerActor::new(config), None)
    }

    pub fn old_broker(&mut self) -> Id<OldBroker> {
        let id = self.begin(OldBroker::new(HEARTBEAT), None);
        self.peers[id.0].takes_over = false;
        id
    }

    pub fn raw_broker(&mut self) -> Id<RawBroker> {
        self.begin(RawBroker::default(), None)
    }

    pub fn worker<B>(&mut self, broker: Id<B>, service: &str) -> Id<WorkerActor> {
        self.worker_with(broker, service, |_| {})
    }

    pub fn worker_with<B>(
        &mut self,
        broker: Id<B>,
        service: &str,
        change: impl FnOnce(&mut WorkerConfig),
    ) -> Id<WorkerActor> {
        let name = format!("W{}", self.peers.len());
        self.named_worker(broker, service, name.as_bytes(), change)
    }

    pub fn named_worker<B>(
        &mut self,
        broker: Id<B>,
        service: &str,
        name: &[u8],
        change: impl FnOnce(&mut WorkerConfig),
    ) -> Id<WorkerActor> {
        let mut config = WorkerConfig {
            link: link(true),
            dialect: Dialect::Omdp,
            service: service.into(),
            serving: crate::wire::Serving::default(),
            concurrency: Some(1),
            most: None,
            about: None,
            prefetch: 1024,
            max_blocked: None,
            session: format!("w{}", self.peers.len()),
        };
        change(&mut config);
        let dial = self.route(broker, name, false);
        self.begin(WorkerActor::new(config), dial)
    }

    pub fn old_worker<B>(&mut self, broker: Id<B>, service: &str) -> Id<OldWorker> {
        self.old_worker_beating(broker, service, HEARTBEAT)
    }

    pub fn old_worker_beating<B>(
        &mut self,
        broker: Id<B>,
        service: &str,
        heartbeat: Duration,
    ) -> Id<OldWorker> {
        let name = format!("W{}", self.peers.len());
        let dial = self.route(broker, name.as_bytes(), true);
        self.begin(OldWorker::new(service, heartbeat), dial)
    }

    pub fn client<B>(&mut self, broker: Id<B>) -> Id<ClientActor> {
        self.client_with(broker, |_| {})
    }

    pub fn client_with<B>(
        &mut self,
        broker: Id<B>,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Id<ClientActor> {
        let name = format!("C{}", self.peers.len());
        let id = self.unstarted_client(broker, name.as_bytes(), change);
        self.start(id);
        id
    }

    pub fn unstarted_client<B>(
        &mut self,
        broker: Id<B>,
        name: &[u8],
        change: impl FnOnce(&mut ClientConfig),
    ) -> Id<ClientActor> {
        let tag = format!("c{}", self.peers.len());
        let mut config = ClientConfig {
            link: link(false),
            dialect: Dialect::Omdp,
            session: tag.clone(),
            await_hello: false,
        };
        change(&mut config);
        let dial = self.route(broker, name, false);
        let id = self.add(ClientActor::new(config), dial);
        self.peers[id.0].tag = Some(tag);
        id
    }

    pub fn old_client<B>(&mut self, broker: Id<B>) -> Id<OldClient> {
        let name = format!("C{}", self.peers.len());
        self.named_old_client(broker, name.as_bytes())
    }

    pub fn named_old_client<B>(&mut self, broker: Id<B>, name: &[u8]) -> Id<OldClient> {
        self.old_client_beating(broker, name, HEARTBEAT)
    }

    pub fn old_client_beating<B>(
        &mut self,
        broker: Id<B>,
        name: &[u8],
        heartbeat: Duration,
    ) -> Id<OldClient> {
        let tag = format!("c{}", self.peers.len());
        let dial = self.route(broker, name, true);
        let id = self.begin(OldClient::new(&tag, heartbeat), dial);
        self.peers[id.0].tag = Some(tag);
        id
    }

    /// A socket that sends what the test tells it to.
    pub fn raw<B>(&mut self, broker: Id<B>, name: &[u8]) -> Id<RawDealer> {
        let dial = self.route(broker, name, true);
        self.begin(RawDealer::default(), dial)
    }

    /// A raw socket that also sends heartbeats as a worker does.
    pub fn raw_beating<B>(&mut self, broker: Id<B>, name: &[u8], beat: Duration) -> Id<RawDealer> {
        let dial = self.route(broker, name, true);
        self.begin(RawDealer::beating(beat), dial)
    }
}
