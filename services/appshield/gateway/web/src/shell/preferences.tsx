/// Who one is, and how one wants the page: theme and language.
import { ActionIcon, type MantineColorScheme, Menu, useMantineColorScheme } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { DESCRIPTION } from "@/api/client";
import { me } from "@/api/queries";
import { signOut } from "@/api/session";
import { Icon, type IconName } from "@/design/icons";
import { LANGUAGES, type Language, useLanguage } from "@/i18n/language";

const THEMES: readonly (readonly [MantineColorScheme, IconName])[] = [
  ["auto", "screen"],
  ["light", "sun"],
  ["dark", "moon"],
];

export function Preferences() {
  const { t, language, choose } = useLanguage();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { data: person } = useQuery(me);
  const client = useQueryClient();
  const navigate = useNavigate();

  async function leave() {
    await signOut();
    client.clear();
    await navigate({ to: "/login" });
  }

  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="default" size={32} aria-label={t("shell.preferences")}>
          <Icon name="person" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {person && <Menu.Label>{t("shell.signed-in", { name: person.name })}</Menu.Label>}
        <Menu.Label>{t("theme.label")}</Menu.Label>
        {THEMES.map(([theme, icon]) => (
          <Menu.Item
            key={theme}
            role="menuitemradio"
            aria-checked={colorScheme === theme}
            leftSection={<Icon name={icon} />}
            rightSection={colorScheme === theme && "✓"}
            closeMenuOnClick={false}
            onClick={() => setColorScheme(theme)}
          >
            {t(`theme.${theme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label>{t("language.label")}</Menu.Label>
        {(Object.keys(LANGUAGES) as Language[]).map((one) => (
          <Menu.Item
            key={one}
            role="menuitemradio"
            aria-checked={language === one}
            lang={one}
            leftSection={<Icon name="language" />}
            rightSection={language === one && "✓"}
            closeMenuOnClick={false}
            onClick={() => choose(one)}
          >
            {LANGUAGES[one]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="external" />} component="a" href={DESCRIPTION}>
          {t("shell.api")}
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="right" />} onClick={() => void leave()}>
          {t("shell.sign-out")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
