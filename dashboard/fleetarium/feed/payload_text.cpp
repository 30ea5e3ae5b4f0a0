#include <fleetarium/feed/payload_text.hpp>

#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/core/base64.hpp>

#include <string_view>

namespace fleetarium::feed {

payload_view make_payload_view(bytes_view payload, std::size_t bytes_max) {
    payload_view out;
    out.size = static_cast<std::uint32_t>(payload.size());
    out.cut = payload.size() > bytes_max;
    std::size_t size = out.cut ? bytes_max : payload.size();
    if (out.cut) {  // back to where a character begins
        std::size_t begin = size;
        while (begin != 0 && size - begin < 4 && (payload[begin] & 0xC0U) == 0x80U) {
            --begin;
        }
        size = (payload[begin] & 0xC0U) == 0x80U ? size : begin;
    }
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), size);
    if (fleetarium::detail::check_string(text) == violation::none) {
        out.encoding = "text";
        out.text = text;
    } else {
        out.encoding = "base64";
        append_base64(out.text, payload.first(size));
    }
    return out;
}

}  // namespace fleetarium::feed
