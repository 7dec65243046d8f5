/* The message of each signal's request, as protobuf-c describes it: for whoever walks the schema
 * instead of the bytes. */
#ifndef OTLP_REQUEST_TYPE_H
#define OTLP_REQUEST_TYPE_H

#include "otlp/signal.h"

#include <protobuf-c/protobuf-c.h>

extern const ProtobufCMessageDescriptor *const request_type[SIGNAL_COUNT];

#endif
