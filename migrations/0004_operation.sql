-- The koobatch schema, version 4: operating the daemon.


-- ---------------------------------------------------------------------------------------------------------------------
-- Metrics
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE daemon_metrics (
    -- The one row in which the daemon leaves what it has measured since it started, for `koobatch metrics`; rewritten
    -- at every sign of life. Apart from daemon_state, whose row is small and changes more often.
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    -- Before daemon_state.started_at: an earlier daemon measured it.
    written_at TEXT NOT NULL,
    -- In the Prometheus text format.
    exposition TEXT NOT NULL
) STRICT;
