#include <fleetarium/codec/utf8.hpp>

namespace fleetarium::detail {

namespace {

/// The size in bytes of the well-formed sequence at the begin of `text`, whose first byte is above
/// 0x7F; 0 if it is ill-formed. The bounds of the second byte keep out overlong forms, surrogates
/// and values above U+10FFFF (Unicode standard, table 3-7).
std::size_t sequence_size(std::string_view text) {
    const auto byte = [text](std::size_t index) {
        return static_cast<unsigned char>(text[index]);
    };
    const unsigned first = byte(0);
    std::size_t size = 2;
    unsigned second_min = 0x80;
    unsigned second_max = 0xBF;
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    if (first >= 0xF0) {
        size = 4;
        second_min = first == 0xF0 ? 0x90 : 0x80;
        second_max = first == 0xF4 ? 0x8F : 0xBF;
    } else if (first >= 0xE0) {
        size = 3;
        second_min = first == 0xE0 ? 0xA0 : 0x80;
        second_max = first == 0xED ? 0x9F : 0xBF;
    }
    if (text.size() < size || byte(1) < second_min || byte(1) > second_max) {
        return 0;
    }
    for (std::size_t index = 2; index < size; ++index) {
        if ((byte(index) & 0xC0) != 0x80) {
            return 0;
        }
    }
    return size;
}

}  // namespace

violation check_string_slowly(std::string_view text) {
    while (!text.empty()) {
        if (text.size() >= 8 && suspicious_in_string::in_word(load_word(text.data())) == 0) {
            text.remove_prefix(8);
            continue;
        }
        if (text.front() == '\0') {
            return violation::string_has_null;  // v5/MQTT-1.5.4-2, v3/MQTT-1.5.3-2
        }
        std::size_t size = 1;
        if (static_cast<unsigned char>(text.front()) > 0x7F) {
            size = sequence_size(text);
            if (size == 0) {
                return violation::string_not_utf8;  // v5/MQTT-1.5.4-1, v3/MQTT-1.5.3-1
            }
        }
        text.remove_prefix(size);
    }
    return violation::none;
}

violation check_topic_name_slowly(std::string_view text) {
    const violation broken = check_string_slowly(text);
    if (broken == violation::none && text.find_first_of("+#") != std::string_view::npos) {
        return violation::topic_name_has_wildcard;  // v5/MQTT-3.3.2-2, v3/MQTT-3.3.2-2
    }
    return broken;
}

}  // namespace fleetarium::detail
