import { useMemo } from 'preact/hooks';
import type { RegionTable } from '../../shared/runQueries';
import { useHost } from '../host';
import { Gallery, type GalleryPicture } from './gallery';
import { labelsOf, type RegionGalleryProps } from './regionGallery';
import { boxOf, imagesByName } from './regions';

/** What speaks against the finding: right in spite of the feature, and wrong without it. */
export function CounterExamples({ finding, overview, table, store }: RegionGalleryProps) {
  const { api } = useHost();
  const { present, absent } = useMemo(() => {
    const numbers = imagesByName(table);
    const known = (images: readonly { readonly image: string }[]) => images.map(({ image }) => numbers.get(image)).filter((image) => image !== undefined);
    const { presentRight, absentWrong } = finding.counterExamples;
    const present = known(presentRight).map((image) => ({ image, region: regionOf(table, image, finding.cluster) }));
    return { present, absent: known(absentWrong) };
  }, [finding, table]);
  const withIt = (index: number): GalleryPicture => {
    const { image, region } = present[index]!;
    return { kind: 'image', id: image, ...(region >= 0 ? { box: boxOf(table, region) } : {}), ...labelsOf(overview, table, image) };
  };
  const without = (index: number): GalleryPicture => ({ kind: 'image', id: absent[index]!, ...labelsOf(overview, table, absent[index]!) });
  const open = (image: number, region = -1) => void api.openImage(region >= 0 ? { image, region } : { image });
  return (
    <div class="counter">
      <section>
        <h3>
          With it and yet right <span class="muted">images of a class that loses by it</span>
        </h3>
        <Gallery
          label="With the feature and yet right"
          count={present.length}
          picture={withIt}
          onOpen={(index) => open(present[index]!.image, present[index]!.region)}
          onHover={(index) => store.set({ hovered: index === null || present[index]!.region < 0 ? null : present[index]!.region })}
          empty="None: every such image with the feature is predicted wrong."
        />
      </section>
      <section>
        <h3>
          Without it and yet wrong <span class="muted">images of a class that loses by it</span>
        </h3>
        <Gallery label="Without the feature and yet wrong" count={absent.length} picture={without} onOpen={(index) => open(absent[index]!)} empty="None: every such image without the feature is predicted right." />
      </section>
    </div>
  );
}

/** The image's region of the cluster; -1 where it has none. Regions of an image lie one after the other. */
function regionOf(table: RegionTable, image: number, cluster: number): number {
  return table.image.findIndex((each, region) => each === image && table.cluster[region] === cluster);
}
