package v1

// PersonQuery names a person by one of the first three fields.
type PersonQuery struct {
	OpenID  string `json:"openid,omitempty" minLength:"1" maxLength:"128"`
	OwnerOf string `json:"owner_of,omitempty" minLength:"1" maxLength:"64"` // the ID of an order that the person made in the shop
	PayerOf string `json:"payer_of,omitempty" minLength:"1" maxLength:"64"` // the ID of an order that the person paid
	// Cursor is Next of the previous part.
	Cursor string `json:"cursor,omitempty" minLength:"1" maxLength:"200"`
}

// PersonExport is a part of the data that is stored about a person, oldest first.
type PersonExport struct {
	Orders []PersonOrder `json:"orders"`
	Next   string        `json:"next,omitempty"`
}

// PersonOrder is an order that a person made or paid. Payers who are not the person are
// left out.
type PersonOrder struct {
	Order   Order   `json:"order"`
	IsOwner bool    `json:"is_owner"`
	IsPayer bool    `json:"is_payer"`
	Events  []Event `json:"events,omitempty"`
	// ClientIP is the person's address, which is stored while a payment is open.
	ClientIP string `json:"client_ip,omitempty"`
}

// ErasePerson names a person by one of the fields.
type ErasePerson struct {
	OpenID  string `json:"openid,omitempty" minLength:"1" maxLength:"128"`
	OwnerOf string `json:"owner_of,omitempty" minLength:"1" maxLength:"64"`
	PayerOf string `json:"payer_of,omitempty" minLength:"1" maxLength:"64"`
}

// PersonErased has the number of orders from which a person was erased. With More, repeat the
// call.
type PersonErased struct {
	Orders int  `json:"orders"`
	More   bool `json:"more,omitempty"`
}

// CloseOrders cancels the open orders that have a product, that were made before a time,
// or both.
type CloseOrders struct {
	ProductID string `json:"product_id,omitempty" minLength:"1" maxLength:"64"`
	Before    int64  `json:"before,omitempty" minimum:"1" maximum:"9007199254740991"` // Unix ms
	// Cursor is Next of the previous response. One call reads 200 open orders.
	Cursor string `json:"cursor,omitempty" minLength:"1" maxLength:"200"`
}

// DeleteOrders deletes orders that were archived. An order is deleted 400 days after it was made at the
// earliest, and 30 days after its last change.
type DeleteOrders struct {
	IDs []string `json:"ids" required:"true" minItems:"1" maxItems:"50"`
}

// OrdersDeleted has the IDs of the orders that the call deleted. The audit list has them too.
type OrdersDeleted struct {
	Deleted []string `json:"deleted"`
	// Kept are those that are too young, that have not ended, or that have the shop's newest event.
	Kept []string `json:"kept,omitempty"`
}

// OrdersClosed has the number of orders that the call cancelled. A payment that the buyer
// began before still counts.
type OrdersClosed struct {
	Orders int    `json:"orders"`
	Next   string `json:"next,omitempty"` // absent when all open orders were read
}
