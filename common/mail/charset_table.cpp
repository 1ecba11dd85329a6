#include "common/mail/charset_table.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace millrace::mail {
namespace {

using enum Repertoire;

// `keys`: the labels with everything but letters and digits removed, blank-separated.
struct Row {
    Charset charset;
    std::string_view keys;
};

constexpr Row rows[] = {
    {{"utf-8", nullptr, all}, "utf8 unicode11utf8 unicode20utf8 xunicode20utf8 utf8mb4 cp65001"},
    {{"us-ascii", "windows-1252", seven_bit},
     "usascii ascii ansix341968 ansix34 iso646us iso646 isoir6 us cp367 ibm367 646 c"},
    {{"iso-8859-1", "windows-1252", latin},
     "iso88591 latin1 l1 isoir100 iso885911987 cp819 ibm819 8859 iso8859 isolatin1 88591"},
    {{"iso-8859-2", "iso-8859-2", latin}, "iso88592 latin2 l2 isoir101 iso885921987 isolatin2"},
    {{"iso-8859-3", "iso-8859-3", latin}, "iso88593 latin3 l3 isoir109 iso885931988"},
    {{"iso-8859-4", "iso-8859-4", latin}, "iso88594 latin4 l4 isoir110 iso885941988"},
    {{"iso-8859-5", "iso-8859-5", latin}, "iso88595 cyrillic isoir144 iso885951988"},
    {{"iso-8859-6", "iso-8859-6", latin},
     "iso88596 iso88596e iso88596i arabic asmo708 ecma114 isoir127 iso885961987"},
    {{"iso-8859-7", "iso-8859-7", latin},
     "iso88597 greek greek8 ecma118 elot928 isoir126 iso885971987 suneugreek"},
    {{"iso-8859-8", "iso-8859-8", latin},
     "iso88598 iso88598e iso88598i logical visual hebrew isoir138 iso885981988"},
    {{"iso-8859-9", "windows-1254", latin}, "iso88599 latin5 l5 isoir148 iso885991989"},
    {{"iso-8859-10", "iso-8859-10", latin}, "iso885910 latin6 l6 isoir157 iso8859101992"},
    {{"iso-8859-11", "windows-874", windows}, "iso885911"},
    {{"iso-8859-13", "iso-8859-13", latin}, "iso885913 latin7 l7"},
    {{"iso-8859-14", "iso-8859-14", latin}, "iso885914 latin8 l8 isoceltic"},
    {{"iso-8859-15", "iso-8859-15", latin}, "iso885915 latin9 l9 latin0 isoir203"},
    {{"windows-874", "windows-874", windows},
     "windows874 cp874 dos874 tis620 tis6202533 tis62025330"},
    {{"windows-1250", "windows-1250", windows}, "windows1250 cp1250 xcp1250 win1250"},
    {{"windows-1251", "windows-1251", windows}, "windows1251 cp1251 xcp1251 win1251"},
    {{"windows-1252", "windows-1252", windows}, "windows1252 cp1252 xcp1252 win1252 ansi xansi"},
    {{"windows-1253", "windows-1253", windows}, "windows1253 cp1253 xcp1253 win1253"},
    {{"windows-1254", "windows-1254", windows}, "windows1254 cp1254 xcp1254 win1254"},
    {{"windows-1255", "windows-1255", windows}, "windows1255 cp1255 xcp1255 win1255"},
    {{"windows-1256", "windows-1256", windows}, "windows1256 cp1256 xcp1256 win1256"},
    {{"windows-1257", "windows-1257", windows}, "windows1257 cp1257 xcp1257 win1257"},
    {{"windows-1258", "windows-1258", windows}, "windows1258 cp1258 xcp1258 win1258"},
    {{"koi8-r", "koi8-r", all}, "koi8r koi8 koi cskoi8r"},
    {{"koi8-u", "koi8-u", all}, "koi8u koi8ru"},
    {{"macintosh", "macintosh", all}, "macintosh mac xmacroman macroman xmacwestern"},
    {{"x-mac-cyrillic", "x-mac-cyrillic", all}, "xmaccyrillic maccyrillic xmacukrainian"},
    {{"x-mac-greek", "x-mac-greek", all}, "xmacgreek macgreek"},
    {{"x-mac-ce", "x-mac-ce", all}, "xmacce macce xmaccentraleurroman maccentraleurope"},
    {{"x-mac-turkish", "x-mac-turkish", all}, "xmacturkish macturkish"},
    {{"ibm437", "ibm-437", all}, "ibm437 cp437 437"},
    {{"ibm720", "ibm-720", all}, "ibm720 cp720 dos720"},
    {{"ibm737", "ibm-737", all}, "ibm737 cp737"},
    {{"ibm775", "ibm-775", all}, "ibm775 cp775"},
    {{"ibm850", "ibm-850", all}, "ibm850 cp850 850"},
    {{"ibm852", "ibm-852", all}, "ibm852 cp852 852"},
    {{"ibm855", "ibm-855", all}, "ibm855 cp855 855"},
    {{"ibm857", "ibm-857", all}, "ibm857 cp857 857"},
    {{"ibm858", "ibm-858", all}, "ibm858 cp858 ibm00858 cp00858"},
    {{"ibm860", "ibm-860", all}, "ibm860 cp860"},
    {{"ibm861", "ibm-861", all}, "ibm861 cp861"},
    {{"ibm862", "ibm-862", all}, "ibm862 cp862 862 dos862"},
    {{"ibm863", "ibm-863", all}, "ibm863 cp863"},
    {{"ibm864", "ibm-864", all}, "ibm864 cp864"},
    {{"ibm865", "ibm-865", all}, "ibm865 cp865"},
    {{"ibm866", "ibm-866", all}, "ibm866 cp866 866"},
    {{"ibm869", "ibm-869", all}, "ibm869 cp869"},
    {{"gb18030", "gb18030", all}, "gb18030"},
    {{"gbk", "gb18030", gbk}, "gbk xgbk cp936 ms936 windows936 936"},
    {{"gb2312", "gb18030", Repertoire::gb2312},
     "gb2312 gb231280 euccn xeuccn chinese csgb2312 isoir58 csiso58gb231280 gb"},
    {{"hz-gb-2312", "hz", stateful}, "hzgb2312 hz"},
    {{"big5", "Big5-HKSCS", Repertoire::big5}, "big5 xxbig5 cnbig5 csbig5 cp950 big5eten"},
    {{"big5-hkscs", "Big5-HKSCS", all}, "big5hkscs"},
    {{"euc-tw", "euc-tw", all}, "euctw xeuctw"},
    {{"shift_jis", nullptr, Repertoire::shift_jis}, "shiftjis sjis xsjis mskanji csshiftjis ms932"},
    {{"windows-31j", nullptr, all}, "windows31j cp932 windows932 ibm943 cswindows31j"},
    {{"euc-jp", "euc-jp-2007", all}, "eucjp xeucjp xeuc cseucpkdfmtjapanese ujis"},
    {{"iso-2022-jp", nullptr, iso2022_jp},
     "iso2022jp csiso2022jp iso2022jpms cp50220 cp50221 cp50222 jis"},
    {{"iso-2022-jp-2", "ISO-2022-JP-2", stateful},
     "iso2022jp2 iso2022jp1 iso2022jp3 iso2022jp2004"},
    {{"euc-kr", "windows-949", Repertoire::euc_kr},
     "euckr cseuckr ksc56011987 ksc56011989 ksc5601 ksx1001 korean isoir149 csksc56011987 5601"},
    {{"windows-949", "windows-949", all}, "windows949 cp949 uhc ms949 xwindows949"},
    {{"iso-2022-kr", "ISO-2022-KR", stateful}, "iso2022kr csiso2022kr"},
    {{"iso-2022-cn", "ISO-2022-CN", stateful}, "iso2022cn iso2022cnext"},
    {{"utf-7", "UTF-7", stateful},
     "utf7 unicode11utf7 unicode20utf7 xunicode20utf7 csunicode11utf7"},
    {{"utf-16", "UTF-16", stateful}, "utf16 ucs2 iso10646ucs2 unicode csunicode"},
    {{"utf-16le", "UTF-16LE", stateful}, "utf16le unicodefffe"},
    {{"utf-16be", "UTF-16BE", stateful}, "utf16be unicodefeff"},
};

struct Entry {
    std::string_view key;
    const Charset* charset;
};

constexpr std::size_t entry_count() {
    std::size_t n = 0;
    for (const Row& row : rows)
        n += 1 + static_cast<std::size_t>(std::ranges::count(row.keys, ' '));
    return n;
}

constexpr auto make_index() {
    std::array<Entry, entry_count()> index{};
    std::size_t n = 0;
    for (const Row& row : rows) {
        std::string_view rest = row.keys;
        while (true) {
            const std::size_t blank = rest.find(' ');
            index[n++] = Entry{rest.substr(0, blank), &row.charset};
            if (blank == std::string_view::npos) break;
            rest.remove_prefix(blank + 1);
        }
    }
    std::ranges::sort(index, {}, &Entry::key);
    return index;
}

constexpr auto index_by_key = make_index();
static_assert(std::ranges::adjacent_find(index_by_key, {}, &Entry::key) == index_by_key.end(),
              "a label may mean one charset only");

}  // namespace

const Charset* find_charset(std::string_view label) {
    label = label.substr(0, label.find('*'));
    char key[24];
    std::size_t size = 0;
    for (const char raw : label) {
        const char c = raw >= 'A' && raw <= 'Z' ? static_cast<char>(raw + 32) : raw;
        if (static_cast<unsigned char>(c) > 126) return nullptr;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) continue;
        if (size == sizeof key) return nullptr;
        key[size++] = c;
    }
    const std::string_view wanted(key, size);
    const auto found = std::ranges::lower_bound(index_by_key, wanted, {}, &Entry::key);
    return found != index_by_key.end() && found->key == wanted ? found->charset : nullptr;
}

}  // namespace millrace::mail
