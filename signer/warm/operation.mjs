// The operations that a Go program can call; the numbers are those of warm.go.
export const [REPLY, LOG, ABORT, FETCH, EXEC, QUERY, LIMIT, ENQUEUE, SIGN, VERIFY, BATCH] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
