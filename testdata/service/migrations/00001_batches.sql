-- +goose Up
CREATE TABLE batches (
    id     text PRIMARY KEY,
    graded bigint NOT NULL DEFAULT 0
);

CREATE TABLE grades (
    essay_id uuid PRIMARY KEY,
    batch_id text NOT NULL REFERENCES batches (id),
    score    double precision NOT NULL
);

-- +goose Down
DROP TABLE grades;
DROP TABLE batches;
