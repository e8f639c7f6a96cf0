-- How often a run was gone on with after a crash and came to nothing: counted for each run, as the
-- workers of a busy scenario may crash for reasons that are not its own.
alter table runs add column tries smallint not null default 0;
