package dom

// Response is a response that arrived.
type Response struct {
	Status int
	Body   []byte
	Date   string // the Date header
	Page   string // the H5pay-Page header: the version of the page that the signer serves
}
