//! The part of a worker's hello about the service that it serves.

/// The service options of a worker. Each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serving {
    /// The service in READY is a pattern: the worker serves all names with this prefix.
    pub pattern: bool,
    /// The policy by which the service chooses among its workers.
    pub balance: Option<Balance>,
    /// The share of requests under [`Balance::Weighted`]; 1 if missing.
    pub weight: Option<u32>,
    /// How many requests of the service may start in an interval, over all its workers.
    pub rate: Option<Rate>,
}

/// The policy by which a service chooses among the workers that have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The worker that has been idle for longest.
    LongestIdle,
    /// The worker with the fewest requests; of equals, the one that has worked least.
    LeastLoaded,
    /// A random worker.
    Random,
    /// In proportion to the weights.
    Weighted,
}

impl Balance {
    /// All policies.
    pub const ALL: [Balance; 4] = [
        Balance::LongestIdle,
        Balance::LeastLoaded,
        Balance::Random,
        Balance::Weighted,
    ];

    /// The policy with this name.
    pub fn of(name: &str) -> Option<Self> {
        Balance::ALL
            .into_iter()
            .find(|balance| balance.as_str() == name)
    }

    /// The name in options and hellos.
    pub fn as_str(self) -> &'static str {
        match self {
            Balance::LongestIdle => "longest-idle",
            Balance::LeastLoaded => "least-loaded",
            Balance::Random => "random",
            Balance::Weighted => "weighted",
        }
    }
}

/// The maximum number of starts in any interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// 1 to [`MAX_RATE`].
    pub max: u32,
    /// In ms, at least 1.
    pub interval_ms: u32,
}

/// The upper limit of [`Rate::max`]; the broker remembers each start of an interval.
pub const MAX_RATE: u32 = 1_000_000;

/// The upper limit of [`Serving::weight`].
pub const MAX_WEIGHT: u32 = 1000;
