//! The check of the roster against the tables.

use super::{Roster, Sums, name_of};
use crate::proto::broker::clients::Clients;
use crate::proto::broker::heard::Heard;
use crate::proto::broker::requests::Requests;
use crate::proto::broker::services::Services;
use crate::proto::broker::workers::Workers;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::mix;

impl Roster {
    pub(in crate::proto::broker) fn timer(&self) -> Option<TimerKey> {
        assert_eq!(
            self.timer.is_some(),
            self.awaited > 0 || !self.changed.is_empty() || !self.fresh.is_empty()
        );
        self.timer
    }

    pub(in crate::proto::broker) fn audit<F: Frame>(
        &self,
        services: &Services,
        workers: &Workers,
        clients: &Clients,
        requests: &Requests<F>,
    ) {
        let heard: Vec<Heard> = clients.iter().filter_map(|c| c.heard).collect();
        let count = |is: fn(&&Heard) -> bool| heard.iter().filter(is).count();
        assert_eq!(heard.len(), self.clients);
        assert_eq!(count(|heard| heard.awaited), self.awaited);
        assert_eq!(count(|heard| heard.behind), self.behind);
        assert_eq!(count(|heard| heard.behind && heard.awaited), 0);
        let mut sums = Sums::default();
        for (key, worker) in workers.iter_keys() {
            let name = name_of(services, worker.service);
            sums.change(&name, |sum| sum.wrapping_add(mix(worker.number)));
            assert!(!worker.is_new || self.fresh.contains(&key));
            if worker.is_new {
                assert!(worker.position.is_none());
            }
            for request in worker.running.iter() {
                let known = worker.number <= self.told || self.clients == 0;
                assert!(known || requests.has_begun(request));
            }
        }
        self.sums.audit(&sums);
    }
}
