package recording

// What the tests of the format need to make damaged recordings.
const (
	FirstLine  = firstLine
	MaxPayload = maxPayload
)

// Seal and BatchToProto make frames as the writer does.
var (
	Seal         = seal
	BatchToProto = batchToProto
)
