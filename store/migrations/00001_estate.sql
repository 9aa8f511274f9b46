-- +goose Up
create table scopes (
    tenant    text not null,
    scope     text not null,
    collector text not null,
    revision  bigint not null,
    taken     bigint not null,
    primary key (tenant, scope)
);

-- content_revision is the newest report that read the section whole, status_revision the
-- newest that spoke of it at all.
create table sections (
    tenant           text not null,
    scope            text not null,
    name             text not null,
    status           text not null,
    reason           text not null,
    status_revision  bigint not null,
    content_revision bigint not null,
    primary key (tenant, scope, name)
);

-- One row per thing, scope and section. hidden is 1 where the same key of the same scope is
-- shown by another section, read later.
create table estate (
    tenant    text not null,
    scope     text not null,
    section   text not null,
    kind      text not null,
    key       text not null,
    hash      text not null,
    revision  bigint not null,
    hidden    bigint not null,
    type      text not null,
    asset     text not null,
    ecosystem text not null,
    name      text not null,
    doc       text not null,
    primary key (tenant, scope, section, kind, key)
);
create index estate_hidden on estate (tenant, scope, kind, key) where hidden = 1;
create index estate_package_asset on estate (tenant, asset, scope, key) where kind = 'package';
create index estate_package_name on estate (tenant, ecosystem, name) where kind = 'package';
create index estate_finding_asset on estate (tenant, asset) where kind = 'finding';

-- Reports applied lately, so that a repeat is known as one.
create table reports (
    tenant   text not null,
    scope    text not null,
    revision bigint not null,
    primary key (tenant, scope, revision)
);

-- Parts of reports that are not whole yet.
create table parts (
    tenant   text not null,
    scope    text not null,
    revision bigint not null,
    part     bigint not null,
    header   text not null,
    bytes    bigint not null,
    doc      text not null,
    primary key (tenant, scope, revision, part)
);

create table changes (
    tenant text not null,
    seq    bigint not null,
    at     bigint not null,
    scope  text not null,
    kind   text not null,
    key    text not null,
    before text,
    after  text,
    cause  text not null,
    primary key (tenant, seq)
) without rowid;
-- People ask for the history of the other kinds. SQLite uses such an index where a query
-- repeats its condition word for word.
create index changes_history on changes (tenant, kind, key, seq) where kind <> 'relation' and kind <> 'package';

-- changes: the last seq given. decisions: the change up to which decisions are made.
create table positions (
    tenant   text not null,
    name     text not null,
    position bigint not null,
    primary key (tenant, name)
);

-- outcome 0 is the most urgent; in_use is 2 yes, 1 nobody looked, 0 no; words is what a
-- text filter searches, in lower case.
create table decisions (
    tenant   text not null,
    id       text not null,
    outcome  bigint not null,
    epss     double precision not null,
    in_use   bigint not null,
    cvss     double precision not null,
    exposure text not null,
    kind     text not null,
    asset    text not null,
    words    text not null,
    hash     text not null,
    doc      text not null,
    primary key (tenant, id)
);
create index decisions_rank on decisions (tenant, outcome, epss desc, in_use desc, cvss desc, id);
create index decisions_asset on decisions (tenant, asset, outcome, epss desc, in_use desc, cvss desc, id);

create table tokens (
    hash    text not null,
    tenant  text not null,
    name    text not null,
    role    text not null,
    scopes  text not null,
    expires bigint not null,
    primary key (hash)
);
