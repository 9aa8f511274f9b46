-- +goose Up
-- Advisories name packages by their own name or by their source's; both are kept as
-- triad.LookupName writes them. source is empty where it is the name.
alter table estate add column source text not null default '';
drop index estate_package_name;
update estate set name = replace(replace(lower(name), '_', '-'), '.', '-'),
    source = replace(replace(lower(coalesce(json(doc) ->> 'source', '')), '_', '-'), '.', '-')
    where kind = 'package';
update estate set source = '' where kind = 'package' and source = name;
create index estate_package_name on estate (tenant, name) where kind = 'package';
create index estate_package_source on estate (tenant, source) where kind = 'package' and source <> '';
