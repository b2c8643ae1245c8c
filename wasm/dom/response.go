package dom

// Response is a response that arrived.
type Response struct {
	Status int
	Body   []byte
	Date   string // the Date header
}
