-- name: CreateBatch :exec
INSERT INTO batches (id) VALUES ($1);

-- name: CountGraded :one
-- Takes the lock of the batch's row: until the transaction ends nobody else
-- grades in this batch, so its events are committed in the order of number.
UPDATE batches SET graded = graded + 1 WHERE id = $1 RETURNING graded;

-- name: AddGrade :exec
INSERT INTO grades (essay_id, batch_id, score) VALUES ($1, $2, $3);
