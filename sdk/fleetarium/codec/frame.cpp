#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/reader.hpp>

namespace fleetarium {

frame_result split_frame(bytes_view& input, frame& out, std::uint32_t packet_size_maximum) {
    using detail::variable_byte_integer;
    frame_result result;
    if (input.empty()) {
        return result;
    }
    if (input[0] < 0x10) {
        result.broken = violation::packet_type_reserved;
        return result;
    }
    const std::uint8_t* const begin = input.data();
    const std::uint8_t* at = begin + 1;
    std::uint32_t remaining_length = 0;
    switch (detail::read_variable_byte_integer(at, begin + input.size(), remaining_length)) {
        case variable_byte_integer::incomplete: return result;
        case variable_byte_integer::malformed:
            result.broken = violation::remaining_length_malformed;
            return result;
        case variable_byte_integer::whole: break;
    }
    result.packet_size = static_cast<std::uint32_t>(at - begin) + remaining_length;
    if (result.packet_size > packet_size_maximum) {
        result.broken = violation::packet_too_large;
        return result;
    }
    if (input.size() < result.packet_size) {
        return result;
    }
    result.complete = true;
    out.first_byte = *begin;
    out.body = {at, remaining_length};
    input = input.subspan(result.packet_size);
    return result;
}

}  // namespace fleetarium
