//! The latest answers of MMI. The cost of answers is bounded: each is computed a few times per [`FRESH`] at most, and
//! clients share the bytes of an answer.

use super::incoming::RequestHead;
use super::query::{Answer, Query};
use super::snapshot::Reader;
use super::survey::{Asker, Survey};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;
use std::time::Duration;

/// Lifetime of a computed answer.
const FRESH: Duration = Duration::from_millis(20);

/// Lifetime of an answer over all services: this, or the time per byte of the answer if that is longer. Computing the
/// answer takes a small part of its lifetime.
const FRESH_OF_ALL: Duration = Duration::from_millis(250);
const FRESH_FOR_A_BYTE: Duration = Duration::from_nanos(200);

/// Maximum of answers that are computed per [`FRESH`], and kept.
const MOST: usize = 6;

/// Maximum of answers about a single service that are computed per [`FRESH`], and kept. They are short.
const MOST_OF_ONE: usize = 32;

/// The state of the answer to a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known<F> {
    /// The answer itself.
    Answer(F),
    /// It is being made.
    Soon,
    /// Nothing: it has to be computed.
    Nothing,
    /// Nothing, and too many others were computed lately.
    TooMany,
}

/// The state of the first survey after one more piece.
pub(super) enum Surveyed<F> {
    GoesOn,
    /// There is none.
    Nothing,
    /// It is over. The answer, and the clients that get it.
    Made(F, Vec<Asker<F>>),
}

#[derive(Debug)]
struct Made<F> {
    query: Query,
    answer: F,
    /// The end of its lifetime.
    until: Time,
}

#[derive(Debug)]
pub(super) struct Answers<F> {
    made: Vec<Made<F>>,
    /// Those that are being made in pieces.
    pub(super) surveys: Vec<Survey<F>>,
}

impl<F> Default for Answers<F> {
    fn default() -> Self {
        Answers {
            made: Vec::new(),
            surveys: Vec::new(),
        }
    }
}

impl<F: Frame> Answers<F> {
    pub(super) fn find(&mut self, now: Time, query: &Query) -> Known<F> {
        self.made.retain(|made| now < made.until);
        if let Some(made) = self.made.iter().find(|made| made.query == *query) {
            return Known::Answer(made.answer.clone());
        }
        if self.surveys.iter().any(|survey| survey.query == *query) {
            return Known::Soon;
        }
        let of_one = query.service.is_some();
        let most = if of_one { MOST_OF_ONE } else { MOST };
        let alike = |made: &&Made<F>| made.query.service.is_some() == of_one;
        let surveys = if of_one { 0 } else { self.surveys.len() };
        match self.made.iter().filter(alike).count() + surveys < most {
            true => Known::Nothing,
            false => Known::TooMany,
        }
    }

    /// Keeps a computed answer for its lifetime.
    pub(super) fn keep(&mut self, now: Time, query: Query, answer: F) {
        let of_bytes = FRESH_FOR_A_BYTE * u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let until = match query.list.is_whole() {
            true => now + FRESH_OF_ALL.max(of_bytes),
            false => now + FRESH,
        };
        self.made.push(Made {
            query,
            answer,
            until,
        });
    }

    /// Adds a request to the survey that answers it. Begins the survey if it is not being made.
    #[cold]
    pub(super) fn survey(
        &mut self,
        reader: &Reader<'_, F>,
        query: Query,
        from: &[u8],
        head: RequestHead<F>,
    ) -> Answer<F> {
        let asker = Asker::new(reader.cx.speaker.clone(), from, head);
        let mut known = self.surveys.iter_mut();
        if let Some(survey) = known.find(|survey| survey.query == query) {
            return match survey.add(asker) {
                Ok(()) => Answer::Later { is_begun: false },
                Err(asker) => Answer::Refused(asker.head, Code::QueueFull),
            };
        }
        self.surveys.push(Survey::new(reader, query, asker));
        Answer::Later { is_begun: true }
    }

    /// Makes a piece of the first survey.
    pub(super) fn go_on(&mut self, reader: &Reader<'_, F>) -> Surveyed<F> {
        let Some(survey) = self.surveys.first_mut() else {
            return Surveyed::Nothing;
        };
        let Some(answer) = survey.go_on(reader) else {
            return Surveyed::GoesOn;
        };
        let (query, askers) = self.surveys.remove(0).end(reader);
        let answer = F::from(answer);
        self.keep(reader.now, query, answer.clone());
        Surveyed::Made(answer, askers)
    }

    /// Discards all answers, because the access rules have changed.
    pub(super) fn clear(&mut self) {
        self.made.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::query::List;

    fn query(list: List, page: usize, service: Option<&str>) -> Query {
        Query {
            list,
            page,
            service: service.map(|name| name.as_bytes().to_vec()),
            viewer: None,
        }
    }

    #[test]
    fn an_answer_is_shared_as_long_as_it_is_fresh() {
        let mut answers: Answers<Vec<u8>> = Answers::default();
        let [paged, whole] = [List::Workers, List::Metrics].map(|list| query(list, 0, None));
        assert_eq!(answers.find(Time::ZERO, &paged), Known::Nothing);
        answers.keep(Time::ZERO, paged.clone(), b"w".to_vec());
        answers.keep(Time::ZERO, whole.clone(), b"m".to_vec());
        let at = Time::ZERO + FRESH - Duration::from_micros(1);
        assert_eq!(answers.find(at, &paged), Known::Answer(b"w".to_vec()));
        assert_eq!(
            answers.find(at, &query(List::Workers, 1, None)),
            Known::Nothing
        );
        let at = Time::ZERO + FRESH;
        assert_eq!(answers.find(at, &paged), Known::Nothing);
        assert_eq!(answers.find(at, &whole), Known::Answer(b"m".to_vec()));
        answers.clear();
        assert_eq!(answers.find(at, &whole), Known::Nothing);
    }

    #[test]
    fn a_large_answer_over_all_services_is_fresh_for_longer() {
        let mut answers: Answers<Vec<u8>> = Answers::default();
        let large = vec![0; 5_000_000];
        let whole = query(List::Metrics, 0, None);
        answers.keep(Time::ZERO, whole.clone(), large);
        let second = Time::ZERO + Duration::from_secs(1);
        let just_before = Time::ZERO + Duration::from_millis(999);
        assert!(matches!(
            answers.find(just_before, &whole),
            Known::Answer(_)
        ));
        assert_eq!(answers.find(second, &whole), Known::Nothing);
    }

    #[test]
    fn few_answers_are_computed_at_a_time() {
        let mut answers: Answers<Vec<u8>> = Answers::default();
        for page in 0..MOST {
            let query = query(List::Workers, page, None);
            assert_eq!(answers.find(Time::ZERO, &query), Known::Nothing);
            answers.keep(Time::ZERO, query, Vec::new());
        }
        let next = query(List::Workers, MOST, None);
        assert_eq!(answers.find(Time::ZERO, &next), Known::TooMany);
        for n in 0..MOST_OF_ONE {
            let query = query(List::Services, 0, Some(&n.to_string()));
            assert_eq!(answers.find(Time::ZERO, &query), Known::Nothing);
            answers.keep(Time::ZERO, query, Vec::new());
        }
        let one = query(List::Services, 0, Some("s"));
        assert_eq!(answers.find(Time::ZERO, &one), Known::TooMany);
        assert_eq!(answers.find(Time::ZERO + FRESH, &next), Known::Nothing);
    }
}
