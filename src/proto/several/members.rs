//! The members of a worker or a client of several brokers: one machine for each broker.
//!
//! A broker has a number, which the owner never uses twice. A broker that leaves is kept until its requests have
//! ended.

/// A machine and the number of its broker.
#[derive(Debug)]
pub(super) struct Member<M> {
    pub(super) broker: usize,
    pub(super) machine: M,
    /// Whether it takes nothing new, and is removed when its requests have ended.
    pub(super) leaving: bool,
    /// Whether it has said goodbye, so that only its connection is still to be closed.
    pub(super) ended: bool,
}

#[derive(Debug)]
pub(super) struct Members<M> {
    /// Members in order of the number.
    list: Vec<Member<M>>,
}

impl<M> Members<M> {
    pub(super) fn new() -> Self {
        Members { list: Vec::new() }
    }

    /// Adds the machine of a broker.
    pub(super) fn insert(&mut self, broker: usize, machine: M) {
        let at = self.list.partition_point(|member| member.broker < broker);
        let member = Member {
            broker,
            machine,
            leaving: false,
            ended: false,
        };
        self.list.insert(at, member);
    }

    fn at(&self, broker: usize) -> Option<usize> {
        let at = self.list.binary_search_by_key(&broker, |each| each.broker);
        at.ok()
    }

    pub(super) fn member(&mut self, broker: usize) -> Option<&mut Member<M>> {
        let at = self.at(broker)?;
        Some(&mut self.list[at])
    }

    pub(super) fn get(&self, broker: usize) -> Option<&M> {
        Some(&self.list[self.at(broker)?].machine)
    }

    pub(super) fn get_mut(&mut self, broker: usize) -> Option<&mut M> {
        self.member(broker).map(|member| &mut member.machine)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member<M>> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member<M>> {
        self.list.iter_mut()
    }

    pub(super) fn machines(&self) -> impl Iterator<Item = &M> {
        self.list.iter().map(|member| &member.machine)
    }

    pub(super) fn machines_mut(&mut self) -> impl Iterator<Item = &mut M> {
        self.list.iter_mut().map(|member| &mut member.machine)
    }

    /// The members in turn, beginning after that of `broker`, which is the last.
    pub(super) fn after(&self, broker: usize) -> impl Iterator<Item = &Member<M>> {
        let at = self.list.partition_point(|member| member.broker <= broker);
        self.list[at..].iter().chain(&self.list[..at])
    }

    /// Removes a member that has ended, and returns its broker.
    pub(super) fn poll_gone(&mut self) -> Option<usize> {
        let at = self.list.iter().position(|member| member.ended)?;
        Some(self.list.remove(at).broker)
    }
}
