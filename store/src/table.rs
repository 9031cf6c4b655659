//! The tables of both databases: their names and which key seals each.

/// One table: a column family of RocksDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Meta,
    Channels,
    Control,
    Envelopes,
    Logs,
    Forks,
    Timeline,
    Claims,
    Seen,
    MessageIds,
    Beacons,
    Holds,
    Erasures,
    Ends,
    Peers,
    Events,
    Idempotency,
    WindowKeys,
    Epochs,
}

impl Table {
    /// The tables of the database `data/`.
    pub(crate) const DATA: [Self; 17] = [
        Self::Meta,
        Self::Channels,
        Self::Control,
        Self::Envelopes,
        Self::Logs,
        Self::Forks,
        Self::Timeline,
        Self::Claims,
        Self::Seen,
        Self::MessageIds,
        Self::Beacons,
        Self::Holds,
        Self::Erasures,
        Self::Ends,
        Self::Peers,
        Self::Events,
        Self::Idempotency,
    ];

    /// Those whose records are of the whole node and of no channel.
    pub(crate) const OF_THE_NODE: [Self; 5] = [
        Self::Meta,
        Self::Channels,
        Self::Peers,
        Self::Events,
        Self::Idempotency,
    ];

    /// The tables of the database `keys/`.
    pub(crate) const KEYS: [Self; 2] = [Self::WindowKeys, Self::Epochs];

    /// The name on the disk, which is also bound into every seal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Channels => "channels",
            Self::Control => "control",
            Self::Envelopes => "envelopes",
            Self::Logs => "logs",
            Self::Forks => "forks",
            Self::Timeline => "timeline",
            Self::Claims => "claims",
            Self::Seen => "seen",
            Self::MessageIds => "message_ids",
            Self::Beacons => "beacons",
            Self::Holds => "holds",
            Self::Erasures => "erasures",
            Self::Ends => "ends",
            Self::Peers => "peers",
            Self::Events => "events",
            Self::Idempotency => "idempotency",
            Self::WindowKeys => "window_keys",
            Self::Epochs => "epochs",
        }
    }

    /// Its place among all tables.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether its records hold or index what was written in a window, so that they have to end
    /// with the window's key.
    pub(crate) const fn is_windowed(self) -> bool {
        matches!(
            self,
            Self::Envelopes | Self::Timeline | Self::Claims | Self::MessageIds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_own_name_and_index() {
        let all: Vec<Table> = Table::DATA.into_iter().chain(Table::KEYS).collect();
        for (index, table) in all.iter().enumerate() {
            assert_eq!(table.index(), index);
            assert_eq!(
                all.iter()
                    .filter(|other| other.name() == table.name())
                    .count(),
                1
            );
        }
    }
}
