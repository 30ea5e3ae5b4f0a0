#include <fleetarium/dashboard/image_renderer.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

#include <cstdint>

namespace fleetarium::dashboard {

namespace {

// Positions have 8 fractional bits, places in the texture and interpolated values 16.
constexpr std::int64_t pixel = 256;
constexpr std::int64_t centre = 128;

struct texture {
    const unsigned char* alpha = nullptr;
    int width = 0;
    int height = 0;

    std::uint32_t at(std::int64_t x, std::int64_t y) const {
        return alpha[std::clamp<std::int64_t>(y, 0, height - 1) * width +
                     std::clamp<std::int64_t>(x, 0, width - 1)];
    }
    /// Bilinear, as the GPU does it; u and v in texels with 16 fractional bits.
    std::uint32_t between(std::int64_t u, std::int64_t v) const {
        u -= 0x8000;
        v -= 0x8000;
        const auto right = static_cast<std::uint32_t>(u >> 8 & 0xff);
        const auto below = static_cast<std::uint32_t>(v >> 8 & 0xff);
        const std::int64_t x = u >> 16;
        const std::int64_t y = v >> 16;
        const std::uint32_t top = at(x, y) * (256 - right) + at(x + 1, y) * right;
        const std::uint32_t bottom = at(x, y + 1) * (256 - right) + at(x + 1, y + 1) * right;
        return (top * (256 - below) + bottom * below + 0x8000) >> 16;
    }
};

/// `texture::between` for one v.
class soft_row {
public:
    soft_row(const texture& of, std::int64_t v) : width_(of.width) {
        v -= 0x8000;
        below_ = static_cast<std::uint32_t>(v >> 8 & 0xff);
        const auto row = [&](std::int64_t y) {
            return of.alpha + std::clamp<std::int64_t>(y, 0, of.height - 1) * of.width;
        };
        upper_ = row(v >> 16);
        lower_ = row((v >> 16) + 1);
    }
    std::uint32_t at(std::int64_t u) const {
        u -= 0x8000;
        const auto right = static_cast<std::uint32_t>(u >> 8 & 0xff);
        const std::int64_t x = std::clamp<std::int64_t>(u >> 16, 0, width_ - 1);
        const std::int64_t next = std::clamp<std::int64_t>((u >> 16) + 1, 0, width_ - 1);
        const std::uint32_t top = upper_[x] * (256 - right) + upper_[next] * right;
        if (below_ == 0) {
            return (top * 256 + 0x8000) >> 16;
        }
        const std::uint32_t bottom = lower_[x] * (256 - right) + lower_[next] * right;
        return (top * (256 - below_) + bottom * below_ + 0x8000) >> 16;
    }

private:
    const unsigned char* upper_ = nullptr;
    const unsigned char* lower_ = nullptr;
    std::int64_t width_;
    std::uint32_t below_ = 0;
};

struct box {
    int left = 0;
    int top = 0;
    int right = 0;  ///< one past the last
    int bottom = 0;
};

struct corner {
    std::int64_t x = 0;
    std::int64_t y = 0;
    std::int64_t u = 0;
    std::int64_t v = 0;
    std::uint32_t colour = 0;
};

constexpr std::uint32_t alpha_of(std::uint32_t colour) { return colour >> 24; }

constexpr std::uint32_t over_255(std::uint32_t product) {
    product += 128;
    return (product + (product >> 8)) >> 8;
}

/// The colour over what is there; two channels at a time, each rounded to the nearest.
constexpr std::uint32_t blend(std::uint32_t under, std::uint32_t colour, std::uint32_t alpha) {
    const std::uint32_t rest = 255 - alpha;
    std::uint32_t red_blue =
        (under & 0x00ff'00ff) * rest + (colour & 0x00ff'00ff) * alpha + 0x0080'0080;
    red_blue = (red_blue + (red_blue >> 8 & 0x00ff'00ff)) >> 8 & 0x00ff'00ff;
    const std::uint32_t green = over_255((under >> 8 & 0xff) * rest + (colour >> 8 & 0xff) * alpha);
    return 0xff00'0000 | red_blue | green << 8;
}

/// The first pixel whose centre is at or after a position.
constexpr std::int64_t first_at(std::int64_t position) {
    return (position - centre + pixel - 1) >> 8;
}

constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    return a / b - static_cast<std::int64_t>(a % b != 0 && (a < 0) != (b < 0));
}

/// A number that changes at a constant rate over a triangle.
struct slope {
    std::int64_t at_a = 0;
    std::int64_t by_x = 0;  ///< a pixel
    std::int64_t by_y = 0;
    std::int64_t least = 0;
    std::int64_t most = 0;
};

class painter {
public:
    painter(image& into, const texture& font) : into_(into), font_(font) {}

    void clip_to(const box& area) { clip_ = area; }

    void rectangle(const corner& from, const corner& to) {
        const box area = covered(from, to);
        const bool plain = from.u == to.u && from.v == to.v;
        if (plain) {
            const std::uint32_t alpha = with_font(from.colour, from.u, from.v);
            for (int y = area.top; y < area.bottom; ++y) {
                fill(y, area.left, area.right, from.colour, alpha);
            }
            return;
        }
        if (area.left >= area.right || area.top >= area.bottom) {
            return;
        }
        if (to.u - from.u == (to.x - from.x) << 8 && to.v - from.v == (to.y - from.y) << 8 &&
            whole(from.u, from.x) && whole(from.v, from.y)) {
            letter(area, from);
            return;
        }
        const std::int64_t by_x = (to.u - from.u) * pixel / (to.x - from.x);
        const std::int64_t by_y = (to.v - from.v) * pixel / (to.y - from.y);
        for (int y = area.top; y < area.bottom; ++y) {
            const std::int64_t v = from.v + by_y * (y * pixel + centre - from.y) / pixel;
            std::uint32_t* const row = row_of(y);
            for (int x = area.left; x < area.right; ++x) {
                const std::int64_t u = from.u + by_x * (x * pixel + centre - from.x) / pixel;
                put(row[x], from.colour, alpha_of(from.colour) * font_.between(u, v));
            }
        }
    }

    void triangle(corner a, corner b, corner c) {
        std::int64_t area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        if (area == 0) {
            return;
        }
        if (area < 0) {
            std::swap(b, c);
            area = -area;
        }
        const bool one_colour = a.colour == b.colour && b.colour == c.colour;
        const bool plain = a.u == b.u && a.u == c.u && a.v == b.v && a.v == c.v;
        if (one_colour && alpha_of(a.colour) == 0) {
            return;
        }
        const std::int64_t top =
            std::max<std::int64_t>(first_at(std::min({a.y, b.y, c.y})), clip_.top);
        const std::int64_t bottom =
            std::min<std::int64_t>(first_at(std::max({a.y, b.y, c.y}) + 1), clip_.bottom);
        if (top >= bottom) {
            return;
        }
        std::array<edge, 3> edges{edge(a, b, top), edge(b, c, top), edge(c, a, top)};
        std::array<slope, 6> slopes{};
        if (!one_colour) {
            for (std::size_t i = 0; i < 4; ++i) {
                const auto channel = [&](const corner& of) {
                    return static_cast<std::int64_t>(of.colour >> (8 * i) & 0xff) << 16;
                };
                slopes[i] = slope_of(a, b, c, channel(a), channel(b), channel(c), area);
            }
        }
        if (!plain) {
            slopes[4] = slope_of(a, b, c, a.u, b.u, c.u, area);
            slopes[5] = slope_of(a, b, c, a.v, b.v, c.v, area);
        }
        const std::uint32_t alpha = with_font(a.colour, a.u, a.v);
        for (std::int64_t y = top; y < bottom; ++y) {
            std::int64_t left = clip_.left;
            std::int64_t right = clip_.right;
            for (edge& side : edges) {
                side.narrow(left, right);
                side.next_row();
            }
            if (left >= right) {
                continue;
            }
            if (one_colour && plain) {
                fill(static_cast<int>(y), static_cast<int>(left), static_cast<int>(right), a.colour,
                     alpha);
            } else {
                shade(a, slopes, y, left, right, one_colour, plain);
            }
        }
    }

private:
    /// A side of a triangle that is to its right, seen along it; what lies exactly on it belongs to
    /// the triangle if it is a top or a left side, so no pixel is drawn by two neighbours.
    ///
    /// Inside is where dx * (Y - y) - dy * (X - x) + bias >= 0, at the centre X, Y of a pixel.
    /// Where that begins or ends in a row is a quotient; from row to row it changes by another one,
    /// and the remainder is kept, so no row needs a division.
    class edge {
    public:
        edge(const corner& from, const corner& to, std::int64_t row) {
            const std::int64_t dx = to.x - from.x;
            const std::int64_t dy = to.y - from.y;
            const std::int64_t bias = dy < 0 || (dy == 0 && dx > 0) ? 0 : -1;
            const std::int64_t at_0 =
                dx * (row * pixel + centre - from.y) - dy * (centre - from.x) + bias;
            if (dy == 0) {
                now_ = at_0;
                step_ = dx * pixel;
                return;
            }
            divisor_ = (dy > 0 ? dy : -dy) * pixel;
            ends_ = dy > 0;
            now_ = floor_divide(at_0, divisor_);
            rest_ = at_0 - now_ * divisor_;
            step_ = floor_divide(dx * pixel, divisor_);
            step_rest_ = dx * pixel - step_ * divisor_;
        }
        void narrow(std::int64_t& left, std::int64_t& right) const {
            if (divisor_ == 0) {
                right = now_ < 0 ? left : right;
            } else if (ends_) {
                right = std::min(right, now_ + 1);
            } else {
                left = std::max(left, -now_);
            }
        }
        void next_row() {
            now_ += step_;
            rest_ += step_rest_;
            if (rest_ >= divisor_ && divisor_ != 0) {
                rest_ -= divisor_;
                ++now_;
            }
        }

    private:
        std::int64_t divisor_ = 0;  ///< 0: level
        std::int64_t now_ = 0;
        std::int64_t rest_ = 0;
        std::int64_t step_ = 0;
        std::int64_t step_rest_ = 0;
        bool ends_ = false;
    };

    static slope slope_of(const corner& a, const corner& b, const corner& c, std::int64_t at_a,
                          std::int64_t at_b, std::int64_t at_c, std::int64_t area) {
        // A sliver's rates could be huge; what it covers is clamped to its corners' values anyway.
        constexpr std::int64_t steepest = std::int64_t{1} << 36;
        const std::int64_t ab = at_b - at_a;
        const std::int64_t ac = at_c - at_a;
        slope result;
        result.at_a = at_a;
        result.by_x = std::clamp((ab * (c.y - a.y) - ac * (b.y - a.y)) / area * pixel +
                                     (ab * (c.y - a.y) - ac * (b.y - a.y)) % area * pixel / area,
                                 -steepest, steepest);
        result.by_y = std::clamp((ac * (b.x - a.x) - ab * (c.x - a.x)) / area * pixel +
                                     (ac * (b.x - a.x) - ab * (c.x - a.x)) % area * pixel / area,
                                 -steepest, steepest);
        result.least = std::min({at_a, at_b, at_c});
        result.most = std::max({at_a, at_b, at_c});
        return result;
    }

    void shade(const corner& a, const std::array<slope, 6>& slopes, std::int64_t y,
               std::int64_t left, std::int64_t right, bool one_colour, bool plain) {
        std::array<std::int64_t, 6> now{};
        for (std::size_t i = one_colour ? 4 : 0; i < (plain ? 4U : 6U); ++i) {
            now[i] = slopes[i].at_a +
                     floor_divide(slopes[i].by_x * (left * pixel + centre - a.x), pixel) +
                     floor_divide(slopes[i].by_y * (y * pixel + centre - a.y), pixel);
        }
        const auto value = [&](std::size_t i) {
            return std::clamp(now[i], slopes[i].least, slopes[i].most);
        };
        std::uint32_t* const row = row_of(static_cast<int>(y));
        const std::uint32_t alpha = alpha_of(a.colour);
        // Two kinds are nearly all of what gets here; they have loops of their own, which give the
        // same as the general one. First, soft lines: one colour, and texels of one row.
        if (one_colour && slopes[5].least == slopes[5].most) {
            const soft_row texels(font_, slopes[5].least);
            for (std::int64_t x = left; x < right; ++x) {
                put(row[x], a.colour, alpha * texels.at(value(4)));
                now[4] += slopes[4].by_x;
            }
            return;
        }
        // Second, soft edges of areas: only the alpha changes.
        const bool one_hue = slopes[0].least == slopes[0].most &&
                             slopes[1].least == slopes[1].most && slopes[2].least == slopes[2].most;
        if (plain && one_hue) {
            const std::uint32_t cover = font_.between(a.u, a.v);
            for (std::int64_t x = left; x < right; ++x) {
                put(row[x], a.colour,
                    static_cast<std::uint32_t>((value(3) + 0x8000) >> 16) * cover);
                now[3] += slopes[3].by_x;
            }
            return;
        }
        for (std::int64_t x = left; x < right; ++x) {
            std::uint32_t colour = a.colour;
            if (!one_colour) {
                colour = 0;
                for (std::size_t i = 0; i < 4; ++i) {
                    colour |= static_cast<std::uint32_t>((value(i) + 0x8000) >> 16) << (8 * i);
                }
            }
            const std::uint32_t cover =
                plain ? font_.between(a.u, a.v) : font_.between(value(4), value(5));
            put(row[x], colour, alpha_of(colour) * cover);
            for (std::size_t i = one_colour ? 4 : 0; i < now.size(); ++i) {
                now[i] += slopes[i].by_x;
            }
        }
    }

    /// A glyph whose texels are the pixels, as all text is at its own size.
    void letter(const box& area, const corner& from) {
        const std::int64_t to_texel_x = (from.u >> 16) - (from.x >> 8);
        const std::int64_t to_texel_y = (from.v >> 16) - (from.y >> 8);
        const std::uint32_t alpha = alpha_of(from.colour);
        for (int y = area.top; y < area.bottom; ++y) {
            std::uint32_t* const row = row_of(y);
            const std::int64_t v = y + to_texel_y;
            for (int x = area.left; x < area.right; ++x) {
                put(row[x], from.colour, alpha * font_.at(x + to_texel_x, v));
            }
        }
    }

    static bool whole(std::int64_t texels, std::int64_t pixels) {
        return ((texels - (pixels << 8)) & 0xffff) == 0;
    }

    std::uint32_t with_font(std::uint32_t colour, std::int64_t u, std::int64_t v) const {
        return over_255(alpha_of(colour) * font_.between(u, v));
    }

    static void put(std::uint32_t& under, std::uint32_t colour, std::uint32_t alpha_times_255) {
        if (alpha_times_255 != 0) {
            under = blend(under, colour, over_255(alpha_times_255));
        }
    }

    box covered(const corner& from, const corner& to) const {
        const auto limit = [](std::int64_t value, int least, int most) {
            return static_cast<int>(std::clamp<std::int64_t>(value, least, most));
        };
        return {limit(first_at(from.x), clip_.left, clip_.right),
                limit(first_at(from.y), clip_.top, clip_.bottom),
                limit(first_at(to.x), clip_.left, clip_.right),
                limit(first_at(to.y), clip_.top, clip_.bottom)};
    }

    void fill(int y, int left, int right, std::uint32_t colour, std::uint32_t alpha) {
        if (left >= right || alpha == 0) {
            return;
        }
        std::uint32_t* const row = row_of(y);
        if (alpha == 255) {
            std::fill(row + left, row + right, colour | 0xff00'0000);
            return;
        }
        for (int x = left; x < right; ++x) {
            row[x] = blend(row[x], colour, alpha);
        }
    }

    std::uint32_t* row_of(int y) {
        return into_.pixels.data() +
               static_cast<std::size_t>(y) * static_cast<std::size_t>(into_.width);
    }

    image& into_;
    texture font_;
    box clip_{};
};

/// Rounds to units, half up; what is far away is as good as at the bound.
std::int64_t to_fixed(float value, float scale, float bound) {
    const float scaled = value * scale;
    if (!(scaled > -bound)) {
        return static_cast<std::int64_t>(-bound);
    }
    if (scaled > bound) {
        return static_cast<std::int64_t>(bound);
    }
    const float up = scaled + 0.5F;
    const auto cut = static_cast<std::int64_t>(up);
    return cut - static_cast<std::int64_t>(static_cast<float>(cut) > up);
}

class frame_reader {
public:
    frame_reader(const ImDrawData& frame, const texture& font) : frame_(frame), font_(font) {}

    corner read(const ImDrawVert& from) const {
        constexpr float furthest = 30'000.0F * 256.0F;
        corner result;
        result.x = to_fixed((from.pos.x - frame_.DisplayPos.x) * frame_.FramebufferScale.x, 256.0F,
                            furthest);
        result.y = to_fixed((from.pos.y - frame_.DisplayPos.y) * frame_.FramebufferScale.y, 256.0F,
                            furthest);
        // Rounded to 1/256 texel: what should be a whole texel is one.
        result.u = to_fixed(from.uv.x * static_cast<float>(font_.width), 256.0F, 0x1p22F) << 8;
        result.v = to_fixed(from.uv.y * static_cast<float>(font_.height), 256.0F, 0x1p22F) << 8;
        result.colour = from.col;
        return result;
    }

    box clip(const ImVec4& area, const image& into) const {
        const auto place = [](float value, int most) {
            return static_cast<int>(std::clamp(value, 0.0F, static_cast<float>(most)));
        };
        const ImVec2& scale = frame_.FramebufferScale;
        return {place((area.x - frame_.DisplayPos.x) * scale.x, into.width),
                place((area.y - frame_.DisplayPos.y) * scale.y, into.height),
                place((area.z - frame_.DisplayPos.x) * scale.x, into.width),
                place((area.w - frame_.DisplayPos.y) * scale.y, into.height)};
    }

private:
    const ImDrawData& frame_;
    texture font_;
};

/// Two triangles that are an upright rectangle of one colour, as ImGui makes most of what it draws.
bool is_rectangle(const ImDrawIdx* index, const ImDrawVert* vertices) {
    if (index[3] != index[0] || index[4] != index[2]) {
        return false;
    }
    const ImDrawVert& a = vertices[index[0]];
    const ImDrawVert& b = vertices[index[1]];
    const ImDrawVert& c = vertices[index[2]];
    const ImDrawVert& d = vertices[index[5]];
    return a.pos.y == b.pos.y && b.pos.x == c.pos.x && c.pos.y == d.pos.y && d.pos.x == a.pos.x &&
           a.pos.x < c.pos.x && a.pos.y < c.pos.y && a.uv.y == b.uv.y && b.uv.x == c.uv.x &&
           c.uv.y == d.uv.y && d.uv.x == a.uv.x && a.col == b.col && a.col == c.col &&
           a.col == d.col;
}

}  // namespace

void render(const ImDrawData& frame, std::uint32_t background, image& into) {
    const auto size = [](float points, float scale) {
        return std::max(0, static_cast<int>(points * scale));
    };
    into.width = size(frame.DisplaySize.x, frame.FramebufferScale.x);
    into.height = size(frame.DisplaySize.y, frame.FramebufferScale.y);
    into.pixels.assign(static_cast<std::size_t>(into.width) * static_cast<std::size_t>(into.height),
                       background | 0xff00'0000);

    ImFontAtlas& atlas = *ImGui::GetIO().Fonts;
    texture font;
    unsigned char* alpha = nullptr;
    atlas.GetTexDataAsAlpha8(&alpha, &font.width, &font.height);
    font.alpha = alpha;

    const frame_reader reader(frame, font);
    painter paint(into, font);
    for (int i = 0; i < frame.CmdListsCount; ++i) {
        const ImDrawList& list = *frame.CmdLists[i];
        for (const ImDrawCmd& command : list.CmdBuffer) {
            if (command.UserCallback != nullptr) {
                if (command.UserCallback != ImDrawCallback_ResetRenderState) {
                    command.UserCallback(&list, &command);
                }
                continue;
            }
            if (command.TextureId != atlas.TexID) {
                throw std::logic_error(
                    "a picture without a display has the atlas of fonts as its "
                    "only texture");
            }
            const box area = reader.clip(command.ClipRect, into);
            if (area.left >= area.right || area.top >= area.bottom) {
                continue;
            }
            paint.clip_to(area);
            const ImDrawVert* const vertices = list.VtxBuffer.Data + command.VtxOffset;
            const ImDrawIdx* index = list.IdxBuffer.Data + command.IdxOffset;
            const ImDrawIdx* const end = index + command.ElemCount;
            while (index != end) {
                if (end - index >= 6 && is_rectangle(index, vertices)) {
                    paint.rectangle(reader.read(vertices[index[0]]),
                                    reader.read(vertices[index[2]]));
                    index += 6;
                    continue;
                }
                paint.triangle(reader.read(vertices[index[0]]), reader.read(vertices[index[1]]),
                               reader.read(vertices[index[2]]));
                index += 3;
            }
        }
    }
}

}  // namespace fleetarium::dashboard
