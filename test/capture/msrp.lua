-- tshark's MSRP dissector takes each TCP segment for itself. This gives it whole messages, from the
-- start line to the end-line (RFC 4975 7.1), however they were cut into segments.
-- usage: tshark -X lua_script:msrp.lua -X lua_script1:PORT
local port = tonumber((...))
local msrp = Dissector.get("msrp")
local stream = Proto("msrp_stream", "MSRP in a TCP stream")
local garbage = ProtoExpert.new("msrp_stream.garbage", "No MSRP start line", expert.group.MALFORMED,
  expert.severity.ERROR)
stream.experts = { garbage }

-- The length of the message at the start of the text; nil: there is more to come; 0: this is none.
local function message_length(text)
  local line = text:match("^(.-)\r\n")
  if not line then
    return nil
  end
  local id = line:match("^MSRP (%S+) ")
  if not id then
    return 0
  end
  local _, stop = text:find("\r\n-------" .. id, 1, true)
  if not stop or #text < stop + 3 then
    return nil
  end
  return stop + 3
end

function stream.dissector(buffer, packet, tree)
  local offset = 0
  while offset < buffer:len() do
    local length = message_length(buffer:raw(offset))
    if not length then
      packet.desegment_offset = offset
      packet.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
      return buffer:len()
    end
    if length == 0 then
      tree:add(stream, buffer(offset)):add_proto_expert_info(garbage)
      return buffer:len()
    end
    msrp:call(buffer(offset, length):tvb(), packet, tree)
    offset = offset + length
  end
  return offset
end

DissectorTable.get("tcp.port"):add(port, stream)
