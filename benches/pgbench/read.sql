\set number random(1, :organizations)
SELECT api_keys.id, label, scopes, revoked_at, organizations.*
FROM bench_keys JOIN api_keys USING (hash) JOIN organizations ON organizations.id = org_id
WHERE number = :number;
