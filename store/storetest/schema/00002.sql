-- What a store of schema version 2 holds after a few reports. Never edited: it stands for
-- stores that people have.
insert into scopes (tenant, scope, collector, revision, taken) values ('default', 'aws/111122223333/us-east-1', 'aws/1', 12, 12);
insert into sections (tenant, scope, name, status, reason, status_revision, content_revision) values
    ('default', 'aws/111122223333/us-east-1', 'a', 'complete', '', 12, 12),
    ('default', 'aws/111122223333/us-east-1', 'b', 'unread', 'access denied', 12, 10);
insert into estate (tenant, scope, section, kind, key, hash, revision, hidden, type, asset, ecosystem, name, source, doc) values
    ('default', 'aws/111122223333/us-east-1', 'a', 'asset', 'x', '6Hcxz0-0-bp7dPGYd4CXOw', 12, 0, 'host', '', '', '', '', '{"id":"x","type":"host","kind":"Instance","name":"2","section":"a"}'),
    ('default', 'aws/111122223333/us-east-1', 'b', 'asset', 'x', 'old', 10, 1, 'host', '', '', '', '', '{"id":"x","type":"host","kind":"Instance","name":"1","section":"b"}'),
    ('default', 'aws/111122223333/us-east-1', 'b', 'package', 'img|pkg:npm/n@1|', 'p', 10, 0, '', 'img', 'npm', 'n', '', '{"asset":"img","section":"b","name":"n","version":"1","ecosystem":"npm","purl":"pkg:npm/n@1"}');
insert into reports (tenant, scope, revision) values ('default', 'aws/111122223333/us-east-1', 10), ('default', 'aws/111122223333/us-east-1', 12);
insert into parts (tenant, scope, revision, part, header, bytes, doc) values
    ('default', 'aws/111122223333/us-east-1', 13, 1, '{"base":0,"parts":2,"sections":[{"name":"c","status":"complete"}]}', 231,
     '{"tenant":"default","scope":"aws/111122223333/us-east-1","collector":"aws/1","taken":"1970-01-01T00:00:00Z","revision":13,"part":1,"parts":2,"sections":[{"name":"c","status":"complete"}],"assets":[{"id":"y","type":"host","kind":"Instance","name":"3","section":"c"}]}');
insert into changes (tenant, seq, at, scope, kind, key, before, after, cause) values
    ('default', 1, 10, 'aws/111122223333/us-east-1', 'asset', 'x', null, '{"id":"x","type":"host","kind":"Instance","name":"1","section":"b"}', 'report aws/111122223333/us-east-1@10'),
    ('default', 2, 12, 'aws/111122223333/us-east-1', 'asset', 'x', '{"id":"x","type":"host","kind":"Instance","name":"1","section":"b"}', '{"id":"x","type":"host","kind":"Instance","name":"2","section":"a"}', 'report aws/111122223333/us-east-1@12');
insert into positions (tenant, name, position) values ('default', 'changes', 2), ('default', 'decisions', 2);
insert into decisions (tenant, id, outcome, epss, in_use, cvss, exposure, kind, asset, words, hash, doc) values
    ('default', 'd', 0, 0.5, 1, 9.8, 'open', 'vulnerability', 'x', 'cve-2026-1', 'h', '{"id":"d","finding":{"kind":"vulnerability","id":"CVE-2026-1","aliases":null},"asset":{"id":"x","type":"host","kind":"Host","name":"x"},"decision":"immediate"}');
insert into tokens (hash, tenant, name, role, scopes, expires) values ('0000000000000000000000000000000000000000000000000000000000000001', 'default', 'ci', 'viewer', 'null', 4102444800000);
