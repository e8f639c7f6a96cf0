-- A scenario that begins to run dry is handed nothing more by its app's address: lists made before are
-- out of date from that commit on.

create trigger note_draining after update of draining_at on scenarios
  for each row when (old.draining_at is distinct from new.draining_at) execute function note_subscribers();

-- Workers look for confidential scenarios every few seconds.
create index scenarios_confidential on scenarios (organization_id, id) where confidential;
