\set number random(1, :organizations)
\set days random(100, 365)
\set hour random(20, 23)
\set minute random(10, 59)
SELECT * FROM bench_patch(:number, :days, :hour || ':' || :minute);
